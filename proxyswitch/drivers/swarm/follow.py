"""Following a service until it has come to rest: who was told what, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from proxyswitch import durations
from proxyswitch.drivers.base import Moved
from proxyswitch.drivers.swarm.client import Client, Unreachable
from proxyswitch.drivers.swarm.seen import Seen
from proxyswitch.drivers.swarm.values import COMING
from proxyswitch.errors import Failed
from proxyswitch.model import Endpoint
from proxyswitch.polling import Report, until
from proxyswitch.system.clock import now

EVERY = 10.0  # seconds between two lines in a long wait
PAUSE = 0.15  # between two looks: a task that is asked to end takes requests until the pool knows


class Follower:
    """Looks at a service again and again, moves the traffic along, and says now and then how far it is."""

    def __init__(self, client: Client, moved: Moved, report: Report) -> None:
        self.client, self.moved, self.report = client, moved, report
        self.told: tuple[Endpoint, ...] = ()
        self.next_line = now() + EVERY
        self.away: float | None = None  # since then it does not answer

    def until(self, settled: Callable[[Seen], bool], timeout: float) -> Seen:
        """The first look that `settled` finds good; it raises what ends the wait. Raises Failed when time is up."""
        seen: list[Seen] = []

        def look() -> Seen | None:
            found = self.look()
            if found is None:
                return None
            seen[:] = [found]
            self.line(found)
            return found if settled(found) else None

        found = until(look, timeout, first=PAUSE, longest=PAUSE)
        if found is None:
            how = progress(seen[0]) if seen else "its manager does not answer"
            service = self.client.settings.service
            raise Failed(f"{service} has not come to rest within {durations.show(timeout)}: {how}")
        return found

    def now(self) -> Seen:
        """One good look."""
        return self.until(lambda _: True, 2 * Unreachable.patience)

    def look(self) -> Seen | None:
        """One look, and the traffic follows. None while the manager is away; raises Failed when that lasts."""
        try:
            seen = self.client.seen()
        except Unreachable as error:
            self._silent(error)
            return None
        self.away = None
        if seen is None:
            raise Failed(f"the service {self.client.settings.service} was removed while it was released")
        if len(seen.serving) <= seen.count:  # one more: in a moment Swarm asks the old one to end
            self._move(seen.endpoints)
        return seen

    def _move(self, endpoints: tuple[Endpoint, ...]) -> None:
        if endpoints and endpoints != self.told:
            self.moved(endpoints)
            self.told = endpoints

    def _silent(self, error: Unreachable) -> None:
        if self.away is None:
            self.away = now()
            self.report(f"{error.what}; asking again for {durations.show(error.patience)}")
        elif now() - self.away > error.patience:
            raise Failed(error.what, next_step=error.next_step) from error

    def line(self, seen: Seen) -> None:
        if now() >= self.next_line:
            self.next_line = now() + EVERY
            self.report(f"{self.client.settings.service}: {progress(seen)}")


def progress(seen: Seen) -> str:
    """How far an update is, from its tasks."""
    ours = [task for task in seen.tasks if task.build == seen.service.build and task.wanted]
    parts = [f"{sum(task.serves for task in ours)} of {seen.count} tasks run"]
    coming = Counter(f"{t.state}{f' ({t.error})' if t.error else ''}" for t in ours if t.state in COMING)
    parts += [f"{number} {state}" for state, number in sorted(coming.items())]
    if seen.failures:
        parts.append(f"{len(seen.failures)} failed; {seen.failures[0].ending()}")
    leaving = sum(task.leaves for task in seen.tasks)
    return ", ".join([*parts, *([f"{leaving} old ones still end"] if leaving else [])])
