"""Write the golden files anew: python -m tests.generate.golden. Read the diff before you commit it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import FIXTURES
from tests.generate.cases import CASES
from tests.generate.support import files

FOLDER = FIXTURES / "generate"


def write(name: str, words: str, folder: Path = FOLDER) -> None:
    made = files(words)
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).mkdir(parents=True)
    for file, text in made.items():
        (folder / name / file).write_text(text)


if __name__ == "__main__":
    for name, words in CASES.items():
        write(name, words)
