"""How the two slots of a pool in instant mode do: the tries in its log since the share was last changed.

Before the flag is set it is noted where the log stands. A run that was killed or taken back then leaves a note of a share
that the flag does not say: so the note of the share before stays beside it. What nginx had buffered at that moment (up to a
second, as `adopt` sets it) is written later, and counts as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from proxyswitch.conf.nginx import instant_log
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.instant import SLOTS, InstantPool
from proxyswitch.conf.nginx.instant_log import Logs
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Problem
from proxyswitch.proxies import nginx_flags, nginx_instant, nginx_log
from proxyswitch.proxies.base import Proxy
from proxyswitch.proxies.nginx import Nginx
from proxyswitch.proxies.nginx_flags import Flag
from proxyswitch.proxies.nginx_log import Tally
from proxyswitch.proxies.nginx_log_follow import Follower
from proxyswitch.system import clock, files, net, state


class Position(Struct, frozen=True):
    """How far a `Follower` has come. This one is at the first line."""

    live: str = ""
    offsets: dict[str, int] = {}
    lost: int = 0


class Note(Struct, frozen=True):
    """The share that was about to be set, as the flag's target; `at` in seconds since 1970, and where each log stood."""

    target: str
    at: float
    positions: dict[str, Position]


class View(NamedTuple):
    """What the log tells. `since` is None where no change was noted: then all of the log counts.

    `lost` is how many files of the log were gone before they could be read.
    """

    pool: str
    flag: Flag
    since: float | None
    tally: Tally
    lost: int
    problems: tuple[Problem, ...]


def note_of(conf: str, pool: str) -> Path:
    """The file of the notes of a pool."""
    return state.folder() / "canary" / f"{state.key(conf)}-{pool}.json"


def note(proxy: Nginx, config: Config, found: InstantPool, target: str) -> list[Problem]:
    """Note where the log stands, before the flag gets that target. What is in the way is told, and stops nothing."""
    try:
        paths = _paths(proxy, instant_log.logs(config, found))
        if not paths:
            return [nginx_instant.unseen(found.name)] if nginx_flags.is_canary(target) else []
        positions = {path: msgspec.convert(Follower(path).position, Position) for path in paths}
        _keep(proxy, found, Note(target, clock.wall(), positions))
    except (Failed, UsageError, OSError, ValueError) as error:
        what = error.what if isinstance(error, Failed | UsageError) else str(error)
        return [Problem(f"{what}: so tries will not be counted from this change on, but from one before")]
    return []


def _keep(proxy: Nginx, found: InstantPool, new: Note) -> None:
    path, now = note_of(proxy.conf, found.name), nginx_flags.read(found.flags).target
    before = [known for known in _notes(path) if known.target == now][:1]
    state.sub("canary")
    files.replace(path, msgspec.json.encode([new, *before]))


def _notes(path: Path) -> list[Note]:
    """The newest first; none where nothing was noted, or what is there cannot be understood. Raises UsageError."""
    try:
        return msgspec.json.decode(files.read(path), type=list[Note])
    except PermissionError:
        raise UsageError(f"{path}: no permission to read it", next_step="run it as the user who set the share") from None
    except (OSError, ValueError):  # a MsgspecError is a ValueError
        return []


def view(proxy: Proxy, name: str) -> View:
    """Read the log from the last change of the share on. Raises UsageError where there is no log, or none may read it."""
    found = _instant(proxy, name)
    assert isinstance(proxy, Nginx)  # noqa: S101  # no other has pools in instant mode
    config = proxy.config()
    logs = instant_log.logs(config, found)
    paths = _paths(proxy, logs)
    if not paths:
        unseen = nginx_instant.unseen(name)
        raise UsageError(unseen.what, state="", next_step=unseen.next_step)
    flag, notes = nginx_flags.read(found.flags), _notes(note_of(proxy.conf, found.name))
    begun = next((known for known in notes if known.target == flag.target), next(iter(notes), None))
    followers = [_follower(path, begun) for path in paths]
    tally = _sum(nginx_log.tally(follower.lines(), _slots(found)) for follower in followers)
    problems = (*_doubts(paths, logs, flag, begun), *(f.problem for f in followers if f.problem))
    return View(found.name, flag, begun.at if begun else None, tally, sum(f.lost for f in followers), problems)


def _instant(proxy: Proxy, name: str) -> InstantPool:
    """Raises UsageError for a pool that is not there, or not in instant mode."""
    proxy.pool(name)
    found = proxy.instant(name) if isinstance(proxy, Nginx) else None
    if found is None:
        raise UsageError(
            f"{name} is not in instant mode: there is no canary that could be looked at",
            next_step=f"move it there: proxyswitch adopt {name} --log FILE",
        )
    return found


def _paths(proxy: Nginx, logs: Logs) -> list[str]:
    """The logs where nginx has them."""
    return [proxy.file(path) for path in logs.paths]


def _follower(path: str, begun: Note | None) -> Follower:
    known = begun.positions.get(path) if begun else None
    return Follower(path, msgspec.structs.asdict(known or Position()))


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def _doubts(paths: list[str], logs: Logs, flag: Flag, begun: Note | None) -> Iterator[Problem]:
    """What a person should know of these counts."""
    for path in paths:
        if not os.path.exists(path):
            yield Problem(f"{path} is not there", "nginx makes it when it is started or reloaded")
    for where in logs.without:
        yield Problem(f"{where}: what passes here is not in the log, and not counted")
    if begun and begun.target != flag.target:
        yield Problem("the share was changed since without a note of it: the counts begin at the last change that was noted")


def _slots(found: InstantPool) -> dict[str, str]:
    """The slot of each address as nginx logs it, and of each upstream, for tries that found no server."""
    out: dict[str, str] = {}
    for slot in SLOTS:
        out[found.upstream(slot).name] = slot
        for line in found.lines(slot):
            out |= dict.fromkeys(spelled(line.server.endpoint), slot)
    return out


def spelled(endpoint: Endpoint | None) -> list[str]:
    """nginx logs what it connects to: a name that is looked up gives several addresses."""
    if endpoint is None or endpoint.path:
        return [str(endpoint)] if endpoint else []
    return [str(Endpoint(host, endpoint.port)) for host in net.addresses(endpoint.host)]
