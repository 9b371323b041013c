"""One change of one proxy's config, from the lock to the proof.

The order matters. The coming bytes lie flushed beside the file before the journal speaks of them; the journal speaks before
the file is renamed; the file is renamed before the proxy is told. So at every instant the config on disk is valid, and
whoever comes next can tell from journal and hashes how far it went.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from proxyswitch.errors import Failed
from proxyswitch.model import Pool, PoolChange, Server
from proxyswitch.proxies.base import Adopting, Candidate, Closing, FileChange, Proxy
from proxyswitch.release import history, intents, places
from proxyswitch.release.history import Entry
from proxyswitch.release.intents import Intent
from proxyswitch.release.places import clear
from proxyswitch.release.undoing import recover, recover_others, undo
from proxyswitch.system import clock, files, locks

TRIES = 3
RELOAD = "reload"
KEPT_BACKUPS = 100


@dataclass(frozen=True, slots=True)
class Tag:
    """What history should know of a change beyond the change: its kind, the release it belongs to and the number of its step
    there, what it takes back."""

    kind: str = history.SWITCH
    app: str = ""
    undoes: str = ""
    release: str = ""
    step: int = -1


class Transaction:
    """A change under way. `open` locks and applies, `prove` and `settle` end it well, `abort` takes it back."""

    def __init__(self, proxy: Proxy, *, timeout: float, report: Callable[[str], None], tag: Tag | None = None) -> None:
        self.proxy = proxy
        self.report = report
        self.timeout = timeout
        self.tag = tag or Tag()
        self.at = places.places(proxy)
        self.id = history.new_id()
        self.begun = clock.now()
        self.scope = contextlib.ExitStack()
        self.candidate: Candidate | None = None
        self.token: Any = None
        self.old_side: Any = None
        self.acts = False

    @property
    def changed(self) -> bool:
        """True when files were written or the proxy was told something."""
        return self.acts

    @property
    def change(self) -> PoolChange | None:
        return self.candidate.change if self.candidate else None

    def open(self, pool: str, intent: Intent, *, force: bool = False) -> None:
        """Lock, recover, edit, stage, write, apply. When this raises, the caller must `abort`."""
        recover_others(self.proxy, self.timeout, self.report)
        self.scope.enter_context(places.hold(self.proxy, self.timeout))
        recover(self.proxy, self.at, self.report)
        for _ in range(TRIES):
            candidate = candidate_of(self.proxy, pool, intent, force=force)
            if not self._needed(candidate, force=force):
                self.candidate = candidate
                return
            if self._write(candidate):
                self._apply(candidate)
                return
        raise Failed(
            f"{self.proxy.conf}: somebody keeps changing the config while we work; nothing was written",
            next_step="run it again when the editing is done",
        )

    def _needed(self, candidate: Candidate, *, force: bool) -> bool:
        """False when nothing is to be done; else it is tested whether it may be done, and whether the proxy accepts it."""
        stale = "" if candidate.files else self.proxy.stale(candidate)
        if not candidate.files and not stale:
            return False
        self._warn_of_pending(candidate)
        self.proxy.allowed(candidate)
        if not force:
            self.proxy.safe(candidate)
        for problem in self.proxy.stage(candidate):
            self.report(f"warning: {problem}")
        if stale and not candidate.change.servers and not candidate.wish:
            self.report(stale)
        return True

    def _warn_of_pending(self, candidate: Candidate) -> None:
        if not candidate.files or self.proxy.mode(candidate) != RELOAD:
            return
        for path in self.proxy.pending():
            self.report(
                f"warning: {path} was changed after {self.proxy.name} last loaded it; this reload makes that live too"
            )

    def _write(self, candidate: Candidate) -> bool:
        """Put the new bytes in place; False when a file is not as it was read, so that all must start again."""
        temps: list[str] = []
        clear(os.path.dirname(file.real) for file in candidate.files)
        first = {file.real: file for file in reversed(candidate.files)}
        try:
            for number, file in enumerate(candidate.files):
                temps.append(files.prepare(file.real, file.after, f"new{number or ''}"))
            if any(files.read(f.real) != f.before for f in first.values()):
                return False
            self.token = self.proxy.capture(candidate)
            self._announce(candidate)
            self.candidate, self.acts = candidate, True
            if self.token is not None:
                self.proxy.make_way(candidate.pool.name, candidate.change.names)
            for file, temp in zip(candidate.files, temps, strict=True):
                self._put(file, temp)
        finally:
            for temp in temps:
                files.remove(temp)
        return True

    def _announce(self, candidate: Candidate) -> None:
        backups = [self._backup(i, f) for i, f in enumerate(candidate.files)]
        files.sync_folder(str(self.at.backups))
        self.at.journal.begin(
            id=self.id,
            pid=os.getpid(),
            user=locks.user(),
            conf=self.proxy.conf,
            keys=list(self.proxy.keys),
            found_by=self.proxy.options._asdict(),
            token=self.token,
            entry=msgspec.to_builtins(self._entry(candidate)),
            files=[
                {
                    "path": f.path,
                    "real": f.real,
                    "before": files.digest(f.before),
                    "after": files.digest(f.after),
                    "backup": b,
                    "in_place": f.in_place,
                }
                for f, b in zip(candidate.files, backups, strict=True)
            ],
        )

    def _backup(self, number: int, file: FileChange) -> str:
        """Keep both texts: the old to go back to, the new to know a half-written file by. Returns the name of the old."""
        name = str(self.at.backups / f"{self.id}-{number}-{os.path.basename(file.real)}")
        try:
            files.write_new(name, file.before)
            files.write_new(name + ".new", file.after)
        except OSError as error:
            raise Failed(f"{name}: cannot write the backup: {error.strerror}", next_step="free some disk space") from error
        return name

    def _put(self, file: FileChange, temp: str) -> None:
        if not file.in_place and files.commit(temp, file.real):
            return
        why = "is mounted by itself into a container" if file.in_place else "is a mount point and cannot be renamed over"
        self.report(
            f"warning: {file.path} {why}: it is rewritten in place,"
            " which a reader could see half done (the journal keeps the old text)"
        )
        files.overwrite(file.real, file.after)

    def _apply(self, candidate: Candidate) -> None:
        """Tell the proxy, if it runs."""
        if self.token is not None:
            self.at.journal.add("applying")
            self.proxy.apply(candidate, self.token)

    def prove(self) -> None:
        """Wait for the proof. Raises NotTaken; then the caller must `abort`."""
        if self.token is not None and self.candidate:
            self.old_side = self.proxy.prove(self.candidate, self.token)

    def settle(self) -> None:
        """Write history, and let the lock go: from here on it is done. When this raises, the caller must `abort`."""
        if self.changed and self.candidate:
            self.at.journal.add("proven")
            self.at.history.add(self._entry(self.candidate))
            self.at.journal.end()
            self._forget_backups()
        self.close()

    def close(self) -> None:
        self.scope.close()

    def _entry(self, candidate: Candidate) -> Entry:
        after = tuple(_plain(s) for s in candidate.change.result(candidate.pool.servers).elements())
        return history.entry(
            self.tag.kind,
            id=self.id,
            release=self.tag.release,
            step=self.tag.step,
            pool=candidate.pool.name,
            proxy=self.proxy.name,
            conf=os.path.realpath(self.proxy.conf),
            mode=self.proxy.mode(candidate),
            change=candidate.change,
            after=after,
            app=self.tag.app,
            undoes=self.tag.undoes,
            seconds=round(clock.now() - self.begun, 3),
        )

    def abort(self) -> None:
        """Take back what was done, and let the lock go. Raises NeedsPerson when that does not succeed."""
        try:
            if self.candidate and self.at.journal.records() and self._mine():
                undo(self.proxy, self.at)
        finally:
            self.close()

    def _mine(self) -> bool:
        return bool(self.at.journal.records()[0]["id"] == self.id)

    def _forget_backups(self) -> None:
        for old in sorted(self.at.backups.iterdir())[: -2 * KEPT_BACKUPS]:
            files.remove(old)


def _plain(server: Server) -> Server:
    return Server(**{**asdict(server), "where": None})


def preview(proxy: Proxy, pool: str, intent: Intent, *, force: bool = False) -> Candidate:
    """What a change would do, for `--dry-run`: no lock, nothing written, nothing asked of the proxy."""
    candidate = candidate_of(proxy, pool, intent, force=force)
    candidate.verify()
    return candidate


def candidate_of(proxy: Proxy, pool: str, intent: Intent, *, force: bool) -> Candidate:
    """The edit; without a file when the pool is as wanted already."""
    match intent:
        case intents.Adopt():
            return proxy.adoption(pool, Adopting(intent.blue, intent.green, intent.flags, intent.sticky, intent.log))
        case intents.Unadopt():
            live = tuple(s.address for s in proxy.pool(pool).live)
            return proxy.plain(pool, lambda plain: intents.changes(intents.SwitchTo(live), plain))
        case intents.Maintain():
            closing = Closing(intent.page, intent.retry_after, intent.allow) if intent.closed else None
            return proxy.maintenance(pool, closing)
    now: Pool = proxy.pool(pool)
    change = intents.changes(intent, now, force=force)
    acts = change.servers or now.instant  # a flag can be missing that says the same as none
    candidate = proxy.candidate(pool, change) if acts else Candidate(now, change)
    if isinstance(intent, intents.Exactly) and intent.restores:
        backups = places.places(proxy).backups
        return candidate._replace(files=tuple(_as_it_was(file, backups, intent.restores) for file in candidate.files))
    return candidate


def _as_it_was(file: FileChange, backups: Path, change: str) -> FileChange:
    """The same with the spaces that it had before that change, where nothing but spaces differs from what it is to be.

    A word that a line gets and loses again can move the comment behind it.
    """
    for path in sorted(backups.glob(f"{change}-*-{glob.escape(os.path.basename(file.real))}")):
        known = files.read(path)
        if known.split() == file.after.split():
            return file._replace(after=known)
    return file
