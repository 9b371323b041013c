"""Tell in the background: a release goes on meanwhile, and waits at its end alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from proxyswitch.notify.event import Event
from proxyswitch.notify.sending import tell
from proxyswitch.settings_notify import KINDS, Notify
from proxyswitch.system import signals


class Teller:
    """Those who are told during one release: `with Teller(…) as teller`, and `teller.tell(event)` in between.

    The end waits for who has not been told yet, 5 s at most however many hang, and reports who could not be. A signal that
    comes while it waits arrives afterwards.
    """

    def __init__(self, notifiers: Sequence[Notify], report: Callable[[str], None], *, folder: str | None = None) -> None:
        self.notifiers, self.report, self.folder = notifiers, report, folder
        self.pool = ThreadPoolExecutor(len(KINDS))  # as many as can be under way: none waits for another
        self.pending: list[Future[list[str]]] = []

    def __enter__(self) -> Teller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with signals.uninterrupted():
            for told in self.pending:
                for line in told.result():
                    self.report(line)
            self.pool.shutdown()

    def tell(self, event: Event) -> None:
        """Begin to tell of it; returns at once."""
        if any(entry.wants(event.kind, event.app) for entry in self.notifiers):
            self.pending.append(self.pool.submit(self._tell, event))

    def _tell(self, event: Event) -> list[str]:
        lines: list[str] = []
        tell(self.notifiers, event, lines.append, folder=self.folder)
        return lines
