"""A long wait that says every ten seconds what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from proxyswitch import durations
from proxyswitch.polling import Report, until
from proxyswitch.system import clock

T = TypeVar("T")

REPORT_EVERY = 10.0


def patiently(look: Callable[[], T | None], timeout: float, report: Report, what: str) -> T | None:
    """The first answer of `look` that is not None, or None after `timeout` seconds; `what` is said meanwhile."""
    begun = clock.now()
    due = begun + REPORT_EVERY

    def told() -> T | None:
        nonlocal due
        answer, now = look(), clock.now()
        if answer is None and now >= due:
            due = now + REPORT_EVERY
            report(f"{what}: {durations.show(now - begun)} of at most {durations.show(timeout)}")
        return answer

    return until(told, timeout)
