"""Guides that tell a story: a page whose blocks are files and commands, done one after the other in one place.

In a page, `<!-- file: web.service -->` before a block makes that file (a path as the page writes it), and `<!-- do -->`
before a `console` block does its commands (`$ …`; `> …` goes on) and compares what they print. `<!-- do: 3 -->` expects exit
status 3 of its last command. What is not marked is only read. A stage says what the page's names are in the test.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.test_docs import plain

BLOCK = re.compile(r"^<!-- (?P<mark>file: \S+|do(?:: \d+)?) -->\n```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


class Act(NamedTuple):
    line: int
    mark: str
    text: str


@dataclass
class Stage:
    """Where a story happens. `names` are pairs: as the page writes it, as it is here; the first that fits goes first.

    `shell` runs one command line there and returns what it printed (both streams) and its exit status; `write` makes a file.
    """

    shell: Callable[[str], tuple[str, int]]
    write: Callable[[str, str], None]
    names: list[tuple[str, str]] = field(default_factory=list)

    def real(self, text: str) -> str:
        for page, here in self.names:
            text = text.replace(page, here)
        return text

    def documented(self, text: str) -> str:
        for page, here in self.names:
            text = text.replace(here, page)
        return text


def local(folder: Path, env: dict[str, str], timeout: float = 120) -> Stage:
    """A stage in a folder of this machine."""

    def shell(command: str) -> tuple[str, int]:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return done.stdout, done.returncode

    def write(name: str, text: str) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return Stage(shell, write)


def acts(page: Path) -> Iterator[Act]:
    text = page.read_text()
    for found in BLOCK.finditer(text):
        yield Act(text[: found.start()].count("\n") + 1, found["mark"], found["text"])


def tell(page: Path, stage: Stage) -> None:
    """Do what the page says, in its order; each command must print what stands there and end as it says."""
    story = list(acts(page))
    assert story, f"{page.name} has no story"
    for act in story:
        if act.mark.startswith("file: "):
            stage.write(stage.real(act.mark.removeprefix("file: ")), stage.real(act.text))
        else:
            _do(page, stage, act)


def _do(page: Path, stage: Stage, act: Act) -> None:
    commands = _commands(act.text)
    last = int(act.mark.partition(": ")[2] or 0)
    for number, (command, wanted) in enumerate(commands, 1):
        out, code = stage.shell(stage.real(command))
        where = f"{page.name}:{act.line}: {command}\n{out}"
        assert code == (last if number == len(commands) else 0), f"exit {code}: {where}"
        assert plain(stage.documented(out)) == plain(wanted), where


def _commands(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found
