"""What a command says: the answer on stdout, everything else on stderr; plain off a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from proxyswitch.cli.screen import area, beside
from proxyswitch.errors import ProxyswitchError


def wants_json() -> bool:
    return "--json" in sys.argv


def answer(text: str) -> None:
    """A line of the answer. Raises NeedsPerson when it cannot be written, for instance into a file on a full disk."""
    area.clear()
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        from proxyswitch.errors import NeedsPerson

        sys.stdout = None
        raise NeedsPerson(
            f"the answer cannot be written: {error.strerror}",
            state="what was to be done is done; only the answer is lost",
            next_step="look with: proxyswitch show",
        ) from error


def as_json(value: Any) -> None:
    """One JSON object on one line."""
    import json

    answer(json.dumps(value, ensure_ascii=False, default=str))


def note(text: str) -> None:
    """A line beside the answer. A reader who has gone away must not stop a change that is under way."""
    area.clear()
    beside(f"{text}\n")


def quiet(_text: str) -> None:
    """For -q: nothing but errors."""


def fail(error: ProxyswitchError) -> int:
    """Tell an error; returns its exit code."""
    if wants_json():
        facts = {"error": error.what, "exit": error.exit_code, "state": error.state, "next": error.next_step}
        as_json({**error.facts, **facts})
    from proxyswitch.cli import github

    github.annotate(error)
    first, *rest = error.lines()
    note("\n".join([f"proxyswitch: {first}", *(f"  {line}" for line in rest)]))
    return error.exit_code


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """A table for a terminal, tab-separated lines for a pipe."""
    area.clear()
    if not sys.stdout.isatty():
        if rows:
            answer("\n".join("\t".join(row) for row in (columns, *rows)))
        return
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=None, title=title or None, title_justify="left", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:  # the last one is the long one: it alone is folded when the terminal is narrow
        grid.add_column(column, no_wrap=column != columns[-1], overflow="fold")
    for row in rows:
        grid.add_row(*row)
    Console(highlight=False, markup=False).print(grid)
