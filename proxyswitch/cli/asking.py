"""Questions on a terminal. They go to stderr alone: stdout is for the answer, and may be a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from proxyswitch.cli import output
from proxyswitch.cli.screen import area

T = TypeVar("T")
WORDS = {"y": True, "yes": True, "n": False, "no": False}


def possible() -> bool:
    """True where somebody can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, parse: Callable[[str], T]) -> T:
    """Ask until the answer is right; what `parse` raises (ValueError) says what is wrong. An end of input ends the run."""
    while True:
        area.clear()
        print(f"{question}: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise typer.Abort
        try:
            return parse(line.strip())
        except ValueError as error:
            output.note(f"  {error}")


def agreed(question: str, *, default: bool) -> bool:
    """Yes or no; an empty answer is the default."""

    def parse(text: str) -> bool:
        if not text:
            return default
        try:
            return WORDS[text.lower()]
        except KeyError:
            raise ValueError("answer y or n") from None

    return ask(f"{question} {'[Y/n]' if default else '[y/N]'}", parse)
