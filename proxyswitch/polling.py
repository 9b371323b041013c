"""The deadline loop: look until something is so, or time is up. No other module waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from proxyswitch.system.clock import Deadline, sleep

T = TypeVar("T")

Report = Callable[[str], None]


def silent(_line: str) -> None:
    """A report that nobody reads."""


def until(look: Callable[[], T | None], timeout: float, *, first: float = 0.005, longest: float = 0.5) -> T | None:
    """The first answer of `look` that is not None, or None when `timeout` seconds are over.

    Looks at once, then after `first` seconds, then ever less often up to every `longest`; and once more at the end.
    """
    deadline = Deadline.after(timeout)
    pause = first
    while True:
        answer = look()
        if answer is not None or deadline.over:
            return answer
        sleep(min(pause, deadline.left))
        pause = min(pause * 1.5, longest)
