"""The pools of an nginx config, plain ones and those in instant mode, and the edits that change a plain one."""

from __future__ import annotations

from proxyswitch.conf.nginx import instant, pools
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.instant import InstantPool
from proxyswitch.conf.nginx.pools import Upstream
from proxyswitch.errors import UsageError
from proxyswitch.model import Pool, PoolChange
from proxyswitch.proxies import nginx_instant
from proxyswitch.proxies.base import Candidate, FileChange, no_pool


def every(config: Config) -> list[Pool]:
    """All pools; the two upstreams of one in instant mode are one pool."""
    pairs = {_place(found.blue): found for found in instant.find(config)}
    hidden = {_place(found.green) for found in pairs.values()}
    return [
        nginx_instant.pool(pairs[_place(u)]) if _place(u) in pairs else u.pool()
        for u in pools.upstreams(config)
        if _place(u) not in hidden
    ]


def by_flag(config: Config, name: str) -> InstantPool | None:
    """The pool of that name when it is in instant mode."""
    plain = name.removeprefix("http:")
    return next((p for p in instant.find(config) if p.name == plain), None)


def upstream(config: Config, name: str) -> Upstream:
    """The plain pool of that name. Raises UsageError, with the name that was likely meant."""
    context, _, plain = name.rpartition(":")
    found = [u for u in pools.upstreams(config, plain) if context in ("", u.context)]
    _refuse_side(plain, config)
    if not found:
        known = [pool.name for pool in every(config)]
        raise no_pool(name, known, f"{config.shown} and its includes", "it has no upstream at all")
    if len(found) > 1:
        places = ", ".join(f"{u.where} ({u.context})" for u in found)
        raise UsageError(
            f"the pool {name} is there {len(found)} times: {places}",
            next_step=f"name it with its context, as http:{plain} or stream:{plain}, or remove one",
        )
    return found[0]


def _refuse_side(name: str, config: Config) -> None:
    for found in instant.find(config):
        if name in (found.blue.name, found.green.name):
            raise UsageError(
                f"{name} is one side of the pool {found.name}, which is in instant mode",
                next_step=f"name the pool: {found.name}, and its slots blue and green",
            )


def edited(config: Config, name: str, change: PoolChange) -> Candidate:
    """The edits of server lines that make the change. Raises UsageError where another pool has them too."""
    from proxyswitch.conf.nginx import edits
    from proxyswitch.conf.text import apply as apply_edits

    found = upstream(config, name)
    other = pools.shared_with(config, found)
    if other:
        raise UsageError(
            f"the server lines of {found.name} are shared with the pool {other.name} ({other.where}): an edit would"
            " change both",
            next_step="give each pool its own include file",
        )
    changed = {edit.document.real: apply_edits(edit.document.data, edit.edits) for edit in edits.edit(found, change)}
    return Candidate(
        found.pool(),
        change,
        tuple(_file_change(config, real, data) for real, data in changed.items()),
        lambda: _verify(config, found, changed, change),
    )


def _place(upstream: Upstream) -> tuple[str, int]:
    return upstream.document.real, upstream.directive.start


def _file_change(config: Config, real: str, after: bytes) -> FileChange:
    document = config.documents[real]
    return FileChange(document.path, real, document.data, after)


def _verify(config: Config, upstream: Upstream, changed: dict[str, bytes], change: PoolChange) -> None:
    """Is the difference exactly the intended one? Asked of our own parser, then of the second reader."""
    from proxyswitch.conf import referee
    from proxyswitch.conf.nginx import verify

    reading = verify.read_again(config, upstream, changed)
    verify.verify(reading.before, reading.after, reading.upstream, change)
    for real in {line.document.real for line in reading.upstream.lines} | {reading.upstream.document.real}:
        if reading.before.documents[real].data is not reading.after.documents[real].data:
            referee.check(reading.upstream, real, reading.after.documents[real].data, change)
