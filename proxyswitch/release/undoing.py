"""A change that was cut off, finished or taken back: by the run itself after a failure, or by the next one after a kill."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

import msgspec

from proxyswitch import proxies
from proxyswitch.errors import Failed, NeedsPerson, ProxyswitchError, UsageError
from proxyswitch.proxies.base import Options, Proxy
from proxyswitch.release import places
from proxyswitch.release.history import Entry
from proxyswitch.release.journal import Journal, Record
from proxyswitch.release.places import Files, clear
from proxyswitch.system import files


def recover(proxy: Proxy, at: Files, report: Callable[[str], None]) -> bool:
    """Finish or undo what a killed run left; the lock is held. True when there was something. Raises NeedsPerson."""
    records = at.journal.records()
    clear(proxy.folders)
    if not records:
        at.journal.end()
        return False
    if records[-1]["kind"] == "proven" and not _taken_back(records):
        at.history.add_once(msgspec.convert(records[0]["entry"], Entry))
        at.journal.end()
        report(f"{proxy.conf}: finished an interrupted change: {_told(records)}")
        return True
    undo(proxy, at)
    report(f"{proxy.conf}: took back an interrupted change: {_told(records)}")
    return True


def recover_others(proxy: Proxy, timeout: float, report: Callable[[str], None]) -> None:
    """The same for killed runs that had found this proxy in another way: by its socket alone, or by its config too.

    Taken back later, they would take our change with them. No lock is held yet. Raises Busy, NeedsPerson.
    """
    ours = places.places(proxy).journal.path
    for path in sorted(ours.parent.glob(f"{proxy.name}-*.jsonl")):
        begun = Journal(path).records()[:1] if path != ours else []
        if begun and not set(proxy.keys).isdisjoint(begun[0].get("keys", ())):
            other = proxies.make(proxy.name, Options(**begun[0]["found_by"]))
            with places.hold(other, timeout):
                recover(other, places.places(other), report)


def _taken_back(records: list[Record]) -> bool:
    """True when the run, after its proof, had begun to restore: it could not write its entry in the history."""
    for entry in records[0]["files"]:
        with contextlib.suppress(FileNotFoundError):
            if files.digest(files.read(entry["real"])) == entry["before"]:
                return True
    return False


def _told(records: list[Record]) -> str:
    entry = records[0]["entry"]
    return f"{entry['kind']} of {entry['pool']} by {entry['user']} (pid {records[0]['pid']})"


def undo(proxy: Proxy, at: Files) -> None:
    """Give the files the bytes they had, make the proxy load them if it may have loaded others, and end the journal.

    Can be run again after it was killed itself. Raises NeedsPerson when a person edited a file meanwhile, or when the
    proxy cannot be shown to run the old config.
    """
    records = at.journal.records()
    begun, applied = records[0], any(r["kind"] == "applying" for r in records)
    pool, token = begun["entry"]["pool"], begun["token"]
    _announce(at.journal)
    if token is not None:
        with contextlib.suppress(Failed, UsageError, OSError):  # it is there for a start in the midst of this only
            proxy.make_way(pool)
    restored = [r for r in (_restore(entry, begun["files"]) for entry in reversed(begun["files"])) if r]
    if (restored or applied) and proxy.can_tell(token):
        _revert(proxy, pool, token, restored, applied=applied)
    elif proxy.running():
        with contextlib.suppress(Failed, UsageError, OSError):
            proxy.refresh(pool)
    at.journal.end()


def _revert(proxy: Proxy, pool: str, token: Any, restored: list[str], *, applied: bool) -> None:
    try:
        proxy.revert(pool, token, applied=applied)
    except (Failed, UsageError) as error:
        files_are = f"the files are as they were before ({', '.join(restored) or 'unchanged'})"
        raise NeedsPerson(
            f"{proxy.name} cannot be shown to run the restored config again: {error.what}",
            state=f"{files_are}, what runs may be newer",
            next_step=f"look at the error log, reload {proxy.name} by hand, then run: proxyswitch recover",
        ) from error


def _announce(journal: Journal) -> None:
    """So that recovery does not take for done what was proven, and then taken back."""
    with contextlib.suppress(Failed):  # a full disk: then the files tell it
        journal.add("undoing")


def _restore(entry: Record, all_: list[Record]) -> str | None:
    """Restore one file if it holds our bytes; returns its name then. Raises NeedsPerson if it holds anybody else's.

    A file that is written twice has two entries: it can hold what only the other one speaks of.
    """
    real, backup = entry["real"], entry["backup"]
    clear([os.path.dirname(real)])
    try:
        data = files.read(real)
    except FileNotFoundError:
        data = b""
    now = files.digest(data)
    ours = {e[when] for e in all_ if e["real"] == real for when in ("before", "after")}
    if now in ours - {entry["after"]}:
        return None
    before, after = files.read(backup), files.read(backup + ".new")
    if now != entry["after"] and not files.is_torn(data, before, after):
        raise NeedsPerson(
            f"{entry['path']} was edited by somebody in the middle of an interrupted change",
            state=f"the file is as that person left it; the text from before the change is in {backup}",
            next_step=f"compare them (diff {backup} {real}); when the file is right: proxyswitch recover --keep",
        )
    _put_back(real, before, backup, in_place=entry.get("in_place", False))
    return str(entry["path"])


def _put_back(real: str, before: bytes, backup: str, *, in_place: bool) -> None:
    try:
        temp = files.prepare(real, before, "old")
        if in_place or not files.commit(temp, real):
            files.remove(temp)
            files.overwrite(real, before)
    except (ProxyswitchError, OSError) as error:
        raise NeedsPerson(
            f"{real}: the old text cannot be put back: {error}",
            state=f"the file still has the new text; the old one is in {backup}",
            next_step="mend the cause, then run: proxyswitch recover",
        ) from error


def keep(at: Files) -> bool:
    """Forget an interrupted change and keep the files as they are now. True when there was one."""
    found = bool(at.journal.records())
    at.journal.end()
    return found
