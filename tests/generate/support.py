"""Run generate in this process, as the command line would."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
from typing import Any

from proxyswitch.cli.generate import command_of


def generate(words: str, *more: str) -> str:
    """What `proxyswitch generate WORDS` prints. Raises what it raises."""
    kind, *rest = shlex.split(words)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        command_of(kind).main([*rest, *more], prog_name=f"proxyswitch generate {kind}", standalone_mode=False)
    return out.getvalue()


def files(words: str, *more: str) -> dict[str, str]:
    """The files that it makes: name to text."""
    answer: dict[str, Any] = json.loads(generate(words, *more, "--json"))
    return {os.path.basename(file["path"]): file["text"] for file in answer["files"]}
