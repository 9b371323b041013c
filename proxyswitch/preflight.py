"""Is there room for a release? Memory for two versions at once, disk for logs and images, and the load.

`look` reads what is there, `judge` compares it with the needs of the app. Nothing is changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from proxyswitch.model import Instance
from proxyswitch.settings_app import App
from proxyswitch.settings_base import Bytes
from proxyswitch.settings_release import Needs
from proxyswitch.system import machine, memory
from proxyswitch.system.memory import Free

CLOSE = 0.1  # a warning, where less than this share of what is free would be left
LOGS = "where its logs go"
FILES = 100  # so many more files must be possible
# Who starts a new version in the control group of the running one, and who in a group of its own beside it. All others
# start it in ours.
AMONG = frozenset({"gunicorn", "pm2"})
BESIDE = frozenset({"compose", "systemd"})
# Who may start it on another machine: what is free here then proves nothing.
ELSEWHERE = frozenset({"swarm"})


class Level(StrEnum):
    """What a verdict means for a release."""

    REFUSE = "refuse"
    WARN = "warn"


class Verdict(NamedTuple):
    """Something that a release lacks, or nearly."""

    level: Level
    what: str


class Place(NamedTuple):
    """A folder that a release fills: `why` says with what. `files`: how many more there can be; None for any number."""

    folder: str
    why: str
    bytes: int
    files: int | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen. `more`: so many instances more than now will run at once. `uses`: what a running one has, None where
    that is not known. `room` is the least that is free for them. `load` of the last minute, for each processor."""

    name: str
    more: int = 0
    uses: int | None = None
    room: Free | None = None
    elsewhere: bool = False
    places: tuple[Place, ...] = ()
    load: float = 0.0


# judging: pure


def judge(needs: Needs, seen: Seen) -> list[Verdict]:
    """What is too little, and what nearly is."""
    return [*_memory(needs, seen), *_disk(needs, seen), *_load(needs, seen)]


def _memory(needs: Needs, seen: Seen) -> Iterator[Verdict]:
    each = seen.uses if needs.memory is None else needs.memory
    if not seen.more or not each or seen.room is None:
        return
    level = _level(each * seen.more, seen.room.bytes)
    if level is None:
        return
    source = "as the running instance" if needs.memory is None else "by needs.memory"
    times = f" for each of {seen.more} more instances" if seen.more > 1 else ""
    limit = f" (limit of the cgroup {seen.room.group})" if seen.room.group else ""
    end = "it would not fit beside what runs" if level is Level.REFUSE else "next to nothing would be left"
    what = f"{seen.name} needs about {Bytes(each)}{times}, {source}; {Bytes(seen.room.bytes)} are free{limit}: {end}"
    if seen.elsewhere:
        yield Verdict(Level.WARN, f"{what}; it may run on another machine")
    else:
        yield Verdict(level, what)


def _disk(needs: Needs, seen: Seen) -> Iterator[Verdict]:
    for place in seen.places:
        level = _level(needs.disk, place.bytes)
        if level is not None:
            free = f"{Bytes(place.bytes)} are free in {place.folder}, {place.why}"
            yield Verdict(level, f"{free}; {seen.name} needs {needs.disk} there, by needs.disk")
        if place.files is not None and place.files < FILES:
            yield Verdict(Level.REFUSE, f"no more than {place.files} files can be made in {place.folder}, {place.why}")


def _load(needs: Needs, seen: Seen) -> Iterator[Verdict]:
    level = _level(seen.load, needs.load) if needs.load else None
    if level is not None:
        allowed = f"{seen.name} allows {needs.load:g}, by needs.load"
        yield Verdict(level, f"the load of the last minute is {seen.load:.2f} a processor; {allowed}")


def _level(wanted: float, free: float) -> Level | None:
    """None where there is enough."""
    if wanted > free:
        return Level.REFUSE
    return Level.WARN if wanted and free - wanted < free * CLOSE else None


# looking


def look(name: str, app: App, instances: Iterable[Instance], more: int, folder: Path) -> Seen:
    """What there is for an app whose `instances` run, when `more` run at once; `folder` is where it is remembered. Raises
    what Docker's client raises, where the app runs in it."""
    running = list(instances)
    pids = [found.process.pid for found in running if found.process]
    room = _room(app, pids) if more else None
    plenty = room.bytes // 2 // more if room else 0
    sizes = [memory.of_tree(pid, plenty) for pid in pids] if more and app.needs.memory is None else []
    images = _images() if app.compose else ""
    return Seen(
        name=name,
        more=more,
        uses=max(sizes, default=None),
        room=room,
        elsewhere=app.driver in ELSEWHERE or bool(app.compose and not images),
        places=tuple(_places(_folders(app, running, folder, images))),
        load=machine.load() if app.needs.load else 0.0,
    )


def _images() -> str:
    from proxyswitch.drivers import _docker

    return _docker.data_root()


def _room(app: App, running: list[int]) -> Free | None:
    """The least that is free: on this machine, or below a limit that holds for the new version as well."""
    whole = memory.available()
    known = [] if whole is None else [Free(whole)]
    reloads = bool(app.systemd) and app.in_place  # in the unit's own group
    for pid in running if app.driver in AMONG | BESIDE else [os.getpid()]:
        known += memory.below_limits(pid, above=int(app.driver in BESIDE and not reloads))
    return min(known, default=None)


def _places(folders: Iterable[tuple[str, str]]) -> Iterator[Place]:
    """The folders with what is free there, one of each file system."""
    known: set[int] = set()
    for folder, why in folders:
        found = machine.disk(folder)
        if found.device not in known:
            known.add(found.device)
            yield Place(folder, why, found.bytes, found.files)


def _folders(app: App, running: list[Instance], folder: Path, images: str) -> Iterator[tuple[str, str]]:
    """What a release fills, and with what."""
    if app.process:
        yield str(app.process.log_dir or folder / "logs"), LOGS
    elif app.gunicorn:
        yield os.path.dirname(app.gunicorn.log) or str(folder / "logs"), LOGS
    elif images:
        yield images, "where Docker keeps its images"
    yield from ((os.path.dirname(found.log), LOGS) for found in running if found.log)
