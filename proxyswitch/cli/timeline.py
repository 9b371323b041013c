"""One release as it went, for a terminal of 80 columns: each step with a bar where it lies in the whole."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from proxyswitch import durations
from proxyswitch.cli.moments import minute
from proxyswitch.model import Server, serving
from proxyswitch.release import history
from proxyswitch.release.history import Entry
from proxyswitch.release.timings import Timed

WIDTH = 79
BAR = 14
SHORT = 0.05  # seconds of drain that are not worth a word


def lines(release: Entry, entries: list[Entry]) -> Iterator[str]:
    """The release; `entries` are all of the history."""
    parts = [e for e in entries if e.part and e.release == release.id]
    yield from _folded(_title(release))
    yield from _folded(f"  id {release.id}: {release.command}")
    yield from _steps(release, parts)
    for part in parts:
        if part.kind == history.ROLLBACK:
            yield from _folded(f"  taken back: {part.pool}: {_now(part)}")
    yield from _folded(f"  {_ended(release)}")
    for later in entries:
        yield from map("  {}".format, _since(release, later))


def _title(release: Entry) -> str:
    versions = f"{release.old_version or 'nothing'} → {release.version}"
    slots = f" ({release.old_slot} → {release.slot})" if release.old_slot not in ("", release.slot) else ""
    return f"{release.app}: {release.kind} {versions}{slots}, {minute(release.at)} by {release.user}"


def _steps(release: Entry, parts: list[Entry]) -> Iterator[str]:
    """When it began, how long it took, where that lies in the whole, what it was; below a change what it led to."""
    whole = max((step.at + step.seconds for step in release.steps), default=0.0)
    times = [(f"+{durations.show(step.at)}", durations.show(step.seconds)) for step in release.steps]
    early, long = (max(map(len, column)) for column in zip(*times, strict=True)) if times else (0, 0)
    text = 2 + early + 2 + long + 2 + BAR + 2 + 1
    for number, step in enumerate(release.steps):
        words = [("failed: " if step.failed else "") + step.step]
        words += [_now(part) for part in parts if part.step == number]
        first, *more = [line for told in words for line in wrap(told, WIDTH - text)]
        begun, took = times[number]
        yield f"  {begun:>{early}}  {took:>{long}}  {_place(step, whole)} {first}"
        yield from (" " * text + line for line in more)


def _place(step: Timed, whole: float) -> str:
    """`[...####.........]`: when it was, of the whole; each step shows at least a little."""
    scale = BAR / whole if whole else 0.0
    begin = min(int(step.at * scale), BAR - 1)
    length = max(1, min(round(step.seconds * scale), BAR - begin))
    return "[" + "." * begin + "#" * length + "." * (BAR - begin - length) + "]"


def _now(part: Entry) -> str:
    return f"= {_shares(part)} ({part.mode}, proven)"


def _shares(part: Entry) -> str:
    """`app-blue 90 %, app-green 10 %`: who serves after a change."""
    live = serving(part.proxy, part.after)
    whole = sum(server.weight for server in live)
    return ", ".join(f"{_name(server)} {100 * server.weight / whole:.3g} %" for server in live if whole) or "closed"


def _name(server: Server) -> str:
    return server.slot or server.label


def _ended(release: Entry) -> str:
    told = [f"{release.result} after {durations.show(release.seconds)}"]
    told += [f"nobody served for {durations.show(release.gap)}"] if release.gap else []
    told += [f"the old side drained for {durations.show(release.drain)}"] if release.drain > SHORT else []
    reason = f": {release.reason.splitlines()[0]}" if release.reason else ""
    return ", ".join(told) + reason


def _since(release: Entry, later: Entry) -> Iterator[str]:
    """What became of it."""
    if later.result == "done" and release.id in later.undoes.split():
        yield f"taken back by {later.user}, {minute(later.at)}: {later.kind} to {later.version}, id {later.id}"
    if later.kind == history.CONFIRM and later.release == release.id:
        yield f"confirmed by {later.user}, {minute(later.at)}"


def _folded(text: str) -> list[str]:
    return wrap(text, WIDTH, subsequent_indent="    ")
