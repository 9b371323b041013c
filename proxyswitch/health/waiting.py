"""Many tries: until an instance is healthy, or as long as it must stay so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from proxyswitch import durations
from proxyswitch.errors import Failed
from proxyswitch.health.check import Answer, Check
from proxyswitch.health.probing import probe
from proxyswitch.polling import Report, silent, until
from proxyswitch.system import clock
from proxyswitch.system.clock import Deadline

Alive = Callable[[], str | None]

REPORT_EVERY = 10.0
BAD_ANSWERS = 2  # of a watched instance, in a row: one alone may be a hiccup
SHORTEST_PAUSE = 0.01


class NeverHealthy(Failed):
    """Exit 3: it did not become healthy in time."""


class Died(Failed):
    """Exit 3: the instance ended while it was waited for or watched."""


class TurnedUnhealthy(Failed):
    """Exit 3: a watched instance no longer answers as it should."""


def unwatched() -> str | None:
    """The `alive` of something whose process we do not know."""
    return None


class _Voice:
    """Says something from time to time."""

    def __init__(self, report: Report) -> None:
        self.report, self.due = report, Deadline.after(REPORT_EVERY)

    def say(self, line: str) -> None:
        if self.due.over:
            self.report(line)
            self.due = Deadline.after(REPORT_EVERY)


def wait(
    check: Check,
    *,
    total: float,
    interval: float,
    successes: int,
    alive: Alive = unwatched,
    report: Report = silent,
) -> Answer:
    """Try until `successes` answers in a row are healthy. Raises NeverHealthy after `total` seconds, Died at once."""
    deadline, voice = Deadline.after(total), _Voice(report)
    row = tries = 0
    reason = ""
    _bury(check, alive())
    while True:
        limit = min(check.timeout, max(deadline.left, SHORTEST_PAUSE))
        answer = probe(replace(check, timeout=limit))
        tries += 1
        # Another process may have answered in its place: the dead do not count as healthy.
        _bury(check, alive())
        row = row + 1 if answer.healthy else 0
        if row >= successes:
            return answer
        # A last try that the end cut short says less than the one before.
        if not reason or limit == check.timeout or answer.seconds < limit:
            reason = f"it was healthy {row} of {successes} times in a row" if row else answer.reason
        if deadline.over:
            what = f"{check.url} was not healthy within {durations.show(total)} ({_count(tries)}): {reason}"
            raise NeverHealthy(what)
        voice.say(f"waiting for {check.url}, {durations.show(deadline.left)} left: {reason}")
        _bury(check, until(alive, min(max(interval, SHORTEST_PAUSE), deadline.left), first=0.05))


def _count(tries: int) -> str:
    return "1 try" if tries == 1 else f"{tries} tries"


def _bury(check: Check, obituary: str | None) -> None:
    if obituary is not None:
        raise Died(f"the instance behind {check.url} died: {obituary or 'nothing is known of why'}")


def hold(
    check: Check,
    seconds: float,
    interval: float,
    alive: Alive = unwatched,
    report: Report = silent,
    look: Callable[[Check], Answer] = probe,
) -> Answer:
    """Watch it for `seconds`. Raises Died at once, and TurnedUnhealthy after two unhealthy answers in a row.

    Ends with a healthy answer: one bad answer at the very end is asked again.
    """
    begun, deadline, voice = clock.now(), Deadline.after(seconds), _Voice(report)
    pause, bad = max(interval, SHORTEST_PAUSE), 0
    _bury(check, alive())
    while True:
        answer = look(check)
        _bury(check, alive())
        bad = 0 if answer.healthy else bad + 1
        if bad >= BAD_ANSWERS:
            after = durations.show(clock.now() - begun)
            raise TurnedUnhealthy(f"{check.url} was unhealthy {bad} times in a row, after {after}: {answer.reason}")
        if answer.healthy and deadline.over:
            return answer
        voice.say(f"watching {check.url}, {durations.show(deadline.left)} left: {answer.reason}")
        _bury(check, until(alive, pause if bad else min(pause, deadline.left), first=0.05))
