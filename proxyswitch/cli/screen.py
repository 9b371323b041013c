"""What stands on a terminal for a moment only: lines that whatever comes next is written over."""

from __future__ import annotations

import os
import sys

CLEAR = "\r\033[J"  # to the start of the line, and away with all from there on


class Area:
    """A few lines at the end of the screen. The cursor waits at their beginning: what is typed meanwhile, as ^C, goes
    with them."""

    def __init__(self) -> None:
        self.shown = False

    def show(self, *lines: str) -> None:
        """Show these in the place of those before, each cut to the width of the screen."""
        width = _columns() - 1
        back = f"\033[{len(lines) - 1}A" if len(lines) > 1 else ""
        beside(CLEAR + "\n".join(line[:width] for line in lines) + f"\r{back}")
        self.shown = True

    def clear(self) -> None:
        """Take them away. To be called before any other output."""
        if self.shown:
            self.shown = False
            beside(CLEAR)


area = Area()


def beside(text: str) -> None:
    """Write to standard error. A reader who has gone away must not stop a change that is under way."""
    if sys.stderr is None:
        return
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def bar(percent: float, width: int = 20) -> str:
    """A share as a bar: `#####...............`. Whatever is above nothing shows, and what is below all is not full."""
    full = round(width * min(100.0, max(0.0, percent)) / 100)
    if 0 < percent < 100:
        full = min(max(full, 1), width - 1)
    return "#" * full + "." * (width - full)
