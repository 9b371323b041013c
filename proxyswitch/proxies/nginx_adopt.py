"""Into instant mode and back: the edits, the flag folder, and the record by which it can be undone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from proxyswitch.conf.nginx import adopt, adopt_form, chain, edits, pools, tree
from proxyswitch.conf.nginx.adopt import Adoption
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.edits import FileEdit
from proxyswitch.conf.nginx.instant import InstantPool
from proxyswitch.conf.text import apply as apply_edits
from proxyswitch.conf.text import newline_of
from proxyswitch.errors import UsageError
from proxyswitch.model import Pool, PoolChange, Problem
from proxyswitch.proxies import nginx_flags, nginx_instant, nginx_master
from proxyswitch.proxies.base import Adopting, Candidate, FileChange
from proxyswitch.system import files, state

if TYPE_CHECKING:
    from proxyswitch.proxies.nginx import Nginx


class Prepared(NamedTuple):
    """What must be there before nginx may load an adopted pool."""

    flags: str
    share: int
    record: Path
    edits: list[dict[str, Any]]
    warnings: tuple[Problem, ...]


def adoption(proxy: Nginx, pool: str, wish: Adopting) -> Candidate:
    """The edits that bring the pool into instant mode. Raises UsageError with the reason and the line."""
    config = proxy.config()
    found = proxy.instant(pool, config)
    if found:
        _refuse_other_form(config, found, wish)
        return _already(nginx_instant.pool(found), wish)
    folder = os.path.abspath(wish.flags) if wish.flags else str(state.folder() / "flags" / pool)
    wanted = adopt.Wish(pool, wish.blue, wish.green, folder, wish.sticky, wish.log, _default_log(proxy) if wish.log else "")
    made: Adoption = adopt.adopt(config, wanted)
    _refuse_taken(folder, proxy.conf)
    changes = [_changed(edit) for edit in made.edits]
    share = nginx_flags.BUCKETS if made.active == "green" else 0
    ready = Prepared(folder, share, record_of(proxy.conf, pool), made.record, made.warnings)
    after = {change.real: change.after for change in changes}
    plain = proxy.pool(pool)
    ordered = _in_order(changes, _block_of(config, pool), f"{pool}_green", back=False)
    return Candidate(plain, PoolChange(pool, ()), ordered, lambda: _verify(config, after, wanted), ready)


def _refuse_other_form(config: Config, found: InstantPool, wish: Adopting) -> None:
    """It is in instant mode, and what was asked for besides its slots is not how it is."""
    text = b"\n".join(document.data for document in config.documents.values())
    form = adopt_form.form(found.name, found.flags, wish.sticky, wish.log)
    unlike = {
        "--flags": wish.flags and os.path.abspath(wish.flags) != found.flags,
        "--sticky": wish.sticky and f"map ${form.key} ${form.variable}_key ".encode() not in text,
        "--log": wish.log and form.log_line.encode() not in text,
    }
    for option in (name for name, differs in unlike.items() if differs):
        raise UsageError(
            f"{found.name} is in instant mode already, with another {option}",
            next_step=f"first: proxyswitch adopt {found.name} --undo; then adopt it with that",
        )


def _already(now: Pool, wish: Adopting) -> Candidate:
    """It is in instant mode: nothing is to be done when its slots are those."""
    for slot, addresses in (("blue", wish.blue), ("green", wish.green)):
        there = tuple(s.address for s in now.servers if s.slot == slot)
        if addresses and addresses != there:
            raise UsageError(
                f"{now.name} is in instant mode already, and its slot {slot} is {', '.join(there)}",
                next_step=f"first: proxyswitch adopt {now.name} --undo; then adopt it with the other addresses",
            )
    return Candidate(now, PoolChange(now.name, ()))


def _default_log(proxy: Nginx) -> str:
    """The access log that nginx writes where none is named."""
    binary = proxy.binary_file()
    return os.path.join(nginx_master.prefix_of(binary, proxy.arguments), nginx_master.build(binary).access_log)


def _changed(edit: FileEdit) -> FileChange:
    document = edit.document
    return FileChange(document.path, document.real, document.data, apply_edits(document.data, edit.edits))


def _verify(config: Config, changed: dict[str, bytes], wish: adopt.Wish) -> None:
    adopt.verify(config, chain.load(config.main, known=config.documents, replaced=changed), wish)


def record_of(conf: str, pool: str) -> Path:
    """Where it is written down how the pool was before."""
    return state.folder() / "adopted" / f"{state.key(conf)}-{pool}.json"


def _refuse_taken(folder: str, conf: str) -> None:
    """The flag of one pool must not move another."""
    owner = _owner(folder)
    if owner and owner != os.path.realpath(conf) and folder.encode() in _bytes_below(owner):
        raise UsageError(
            f"{folder} is the flag folder of a pool of {owner} already", next_step="name another one with --flags DIR"
        )


def _owner(folder: str) -> str:
    try:
        return files.read_text(os.path.join(folder, "conf")).strip()
    except OSError:
        return ""


def _bytes_below(conf: str) -> bytes:
    try:
        return b"\n".join(d.data for d in chain.load(conf).documents.values())
    except Exception:  # noqa: BLE001  # a config that is gone or broken asks for no flag
        return b""


def prepare(proxy: Nginx, ready: Prepared) -> list[Problem]:
    """Make the flag folder, and write down how to go back. Raises UsageError where nginx could not reach it."""
    nginx_flags.make(ready.flags, ready.share)
    files.replace(os.path.join(ready.flags, "conf"), f"{os.path.realpath(proxy.conf)}\n".encode(), 0o644)
    _refuse_unreachable(proxy, ready.flags)
    files.clear(str(state.sub("adopted")))
    data = {"conf": proxy.conf, "flags": ready.flags, "files": ready.edits}
    files.replace(ready.record, json.dumps(data).encode())
    return list(ready.warnings)


def _refuse_unreachable(proxy: Nginx, folder: str) -> None:
    bars = proxy.barred(folder)
    if bars:
        raise UsageError(bars, next_step="do that, or name another folder with --flags DIR")


def plain(proxy: Nginx, pool: str, pick: Callable[[Pool], PoolChange]) -> Candidate:
    """The edits that take the pool out of instant mode. Raises UsageError where it cannot be told how it was."""
    config = proxy.config()
    found = proxy.instant(pool, config)
    if not found:
        return Candidate(proxy.pool(pool), PoolChange(pool, ()))
    now = nginx_instant.pool(found)
    if len({s.slot for s in now.live}) > 1:
        raise UsageError(
            f"both slots of {pool} take traffic",
            next_step=f"send all to one first: proxyswitch switch {pool} blue, or green",
        )
    undone = map(_changed, adopt.undo(config, _read_record(proxy, pool)))
    restored = {change.real: change.after for change in undone}
    between = chain.load(config.main, known=config.documents, replaced=restored)
    upstream = next(u for u in pools.upstreams(between, pool) if u.context == "http")
    change = pick(upstream.pool())
    final = restored | {change.real: change.after for change in map(_changed, edits.edit(upstream, change))}
    documents = config.documents
    changes = [FileChange(documents[real].path, real, documents[real].data, data) for real, data in final.items()]
    new = _block_of(chain.load(config.main, known=documents, replaced=final), pool)
    return Candidate(now, PoolChange(pool, ()), _in_order(changes, new, f"{pool}_green", back=True))


class Block(NamedTuple):
    """The plain upstream: its file, and its bytes."""

    real: str
    text: bytes


def _block_of(config: Config, pool: str) -> Block:
    found = next(u for u in pools.upstreams(config, pool) if u.context == "http")
    return Block(found.document.real, found.document.data[found.directive.start : found.directive.end])


def _in_order(changes: list[FileChange], plain: Block, green: str, *, back: bool) -> tuple[FileChange, ...]:
    """The files in an order in which the config is valid after each of them.

    While some files pass to the plain upstream and others to the two slots, all three upstreams are there; and a variable
    is set before the first file that uses it is there, and until the last one is gone.
    """
    if len(changes) == 1:
        return tuple(changes)
    first = next(change for change in changes if change.real == plain.real)
    others = sorted((c for c in changes if c is not first), key=lambda c: b"_slot " not in (c.before if back else c.after))
    between = _with(first.before if back else first.after, green, plain.text)
    start = FileChange(first.path, first.real, first.before, between)
    end = FileChange(first.path, first.real, between, first.after)
    return start, *(reversed(others) if back else others), end


def _with(data: bytes, green: str, plain: bytes) -> bytes:
    """The bytes of a file with the plain upstream behind the green one."""
    document = tree.parse(data)
    at = next(d.end for d in document.upstreams if document.text(d)[:1] == [green])
    return data[:at] + newline_of(data) + plain + data[at:]


def _read_record(proxy: Nginx, pool: str) -> list[dict[str, Any]]:
    path = record_of(proxy.conf, pool)
    try:
        data = json.loads(files.read(path))
    except (OSError, ValueError):
        raise UsageError(
            f"{path}: it is not written down there how {pool} was before it was adopted",
            next_step="run it as the user who adopted it; or take its lines out by hand: the guide shows them",
        ) from None
    return list(data["files"])
