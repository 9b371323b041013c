"""What happens in a release, while it happens: a line of JSON each, or a live view on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proxyswitch import durations
from proxyswitch.cli import output
from proxyswitch.cli.screen import area, bar
from proxyswitch.system import clock

if TYPE_CHECKING:
    from proxyswitch.proxies.base import Tries
    from proxyswitch.release.judging import View
    from proxyswitch.release.world import World

REPORT_EVERY = 10.0
ALL = 100  # percent


@contextmanager
def heard(world: World, *, json: bool, quiet: bool) -> Iterator[None]:
    """For as long as this lasts, what happens is told: with --json each event as a line."""
    if json:
        world.event = _as_json
        world.show = Figures(lambda view: _as_json("watch", facts(view))).show
    elif not quiet:
        world.show = Live().show if sys.stderr.isatty() else Figures(lambda view: output.note(words(view))).show
    try:
        yield
    finally:
        area.clear()


def _as_json(kind: str, told: Mapping[str, object]) -> None:
    output.as_json({"event": kind, "at": round(clock.wall(), 3), **told})


def facts(view: View) -> dict[str, object]:
    """A look at both sides, as data; rates in percent, times in seconds."""
    new, old = view.sides
    known = ((view.new, new), (view.old, old)) if view.counted else ()
    sides = {name: tries for name, tries in known if name and tries is not None}
    return {
        "app": view.app,
        "share": view.share,
        "left": round(max(0.0, view.left), 1),
        "waits": view.waits,
        "sides": {
            name: {"requests": t.requests, "failed": t.failed, "rate": round(t.rate, 3), "seconds": t.seconds}
            for name, t in sides.items()
        },
    }


def words(view: View) -> str:
    """The same in a line: the share as a bar, failures a side, time left."""
    sides = ", ".join(f"{name} {told}" for name, _, told in _sides(view)) or "nothing is counted"
    return f"{view.app} {view.new} [{bar(view.share)}] {view.share} %: {sides}; {_left(view)}"


def lines(view: View) -> list[str]:
    """The same for a terminal of 80 columns: time left, and a line a side."""
    waits = f"waits for {view.waits}" if view.waits else "is watched"
    gone = 100 * (1 - view.left / view.seconds) if view.seconds else 100.0
    first = f"{view.app} {waits} [{bar(gone)}] {_left(view)}"
    sides = list(_sides(view))
    width = max((len(name) for name, _, _ in sides), default=0)
    return [first, *(f"  {name:{width}}  [{bar(share)}] {share:3} %  {told}" for name, share, told in sides)]


def _sides(view: View) -> Iterator[tuple[str, int, str]]:
    """Each side that has traffic: its name, its share, and what was counted of it."""
    if not view.counted:
        return
    new, old = view.sides
    yield view.new, view.share, _count(new)
    if view.old and old is not None and view.share < ALL:
        yield view.old, ALL - view.share, _count(old)


def _count(tries: Tries) -> str:
    took = f", {1000 * tries.seconds:.0f} ms" if tries.seconds else ""
    return f"{tries.failed:,} of {tries.requests:,} failed{took}"


def _left(view: View) -> str:
    return f"{durations.show(round(max(0.0, view.left)))} left"


class Live:
    """A few lines on a terminal that are written over."""

    def show(self, view: View) -> None:
        if view.seconds:
            area.show(*lines(view))


class Figures:
    """Now and then, for what is no terminal."""

    def __init__(self, tell: Callable[[View], None]) -> None:
        self._tell = tell
        self._last = 0.0

    def show(self, view: View) -> None:
        """The first look begins the ten seconds: of a watch that is shorter there is nothing to say."""
        now = clock.now()
        self._last = self._last or now
        if now - self._last >= REPORT_EVERY:
            self._last = now
            self._tell(view)
