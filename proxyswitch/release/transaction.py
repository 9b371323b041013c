"""One change of one proxy's config, from the lock to the proof; and what a killed one left, finished or undone.

The order matters. The coming bytes lie flushed beside the file before the journal speaks of them; the journal speaks before
the file is renamed; the file is renamed before the proxy is told. So at every instant the config on disk is valid, and
whoever comes next can tell from journal and hashes how far it went.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from proxyswitch.errors import Failed, NeedsPerson, ProxyswitchError
from proxyswitch.model import Pool, PoolChange, Server
from proxyswitch.proxies.base import Candidate, FileChange, NotTaken, Proxy
from proxyswitch.release import history, intents
from proxyswitch.release.history import Entry, History
from proxyswitch.release.intents import Intent
from proxyswitch.release.journal import Journal, Record
from proxyswitch.system import clock, files, locks, state

TRIES = 3
KEPT_BACKUPS = 100


@dataclass(frozen=True, slots=True)
class Files:
    """Where the state of one proxy lies."""

    lock: Path
    journal: Journal
    history: History
    backups: Path


def places(proxy: Proxy) -> Files:
    """The state of that proxy, keyed by the real path of its main config; folders are made where missing."""
    key = f"{proxy.name}-{state.key(proxy.conf)}"
    return Files(
        state.sub("locks") / f"{key}.lock",
        Journal(state.sub("journal") / f"{key}.jsonl"),
        History(state.folder() / "history.jsonl"),
        state.sub("backups"),
    )


@dataclass(frozen=True, slots=True)
class Tag:
    """What history should know of a change beyond the change: its kind, the release it belongs to, what it takes back."""

    kind: str = history.SWITCH
    app: str = ""
    undoes: str = ""
    release: str = ""


class Transaction:
    """A change under way. `open` locks and applies, `prove` and `settle` end it well, `abort` takes it back."""

    def __init__(self, proxy: Proxy, *, timeout: float, report: Callable[[str], None], tag: Tag | None = None) -> None:
        self.proxy = proxy
        self.report = report
        self.timeout = timeout
        self.tag = tag or Tag()
        self.at = places(proxy)
        self.id = history.new_id()
        self.begun = clock.now()
        self.scope = contextlib.ExitStack()
        self.candidate: Candidate | None = None
        self.token: Any = None
        self.old_side: Any = None
        self.reloads = False

    @property
    def changed(self) -> bool:
        """True when files were written or the proxy was told to load them."""
        return bool(self.candidate and self.candidate.files) or self.reloads

    @property
    def change(self) -> PoolChange | None:
        return self.candidate.change if self.candidate else None

    def open(self, pool: str, intent: Intent, *, force: bool = False) -> None:
        """Lock, recover, edit, stage, write, apply. When this raises, the caller must `abort`."""
        self.scope.enter_context(locks.hold(self.at.lock, f"the config {self.proxy.conf}", self.timeout))
        recover(self.proxy, self.at, self.report)
        for _ in range(TRIES):
            candidate = self._candidate(pool, intent, force=force)
            if candidate is None or self._write(candidate):
                return self._apply()
        raise Failed(
            f"{self.proxy.conf}: somebody keeps changing the config while we work; nothing was written",
            next_step="run it again when the editing is done",
        )

    def _candidate(self, pool: str, intent: Intent, *, force: bool) -> Candidate | None:
        """The edit, tested by the proxy; None when the pool is as wanted already."""
        now = self.proxy.pool(pool)
        change = intents.changes(intent, now, force=force)
        self.candidate = Candidate(now, change, ())
        if not change.servers:
            return None
        candidate = self.proxy.candidate(pool, change)
        self._warn_of_pending()
        self._test(candidate)
        return candidate

    def _test(self, candidate: Candidate) -> None:
        """May we, and does the proxy accept it? Every live file stays as it is."""
        self.proxy.allowed(candidate)
        for problem in self.proxy.stage(candidate):
            self.report(f"warning: {problem}")

    def _warn_of_pending(self) -> None:
        for path in self.proxy.pending():
            self.report(
                f"warning: {path} was changed after {self.proxy.name} last loaded it; this reload makes that live too"
            )

    def _write(self, candidate: Candidate) -> bool:
        """Put the new bytes in place; False when a file is not as it was read, so that all must start again."""
        temps: list[str] = []
        clear(os.path.dirname(file.real) for file in candidate.files)
        try:
            for file in candidate.files:
                temps.append(files.prepare(file.real, file.after, "new"))
            if any(files.read(f.real) != f.before for f in candidate.files):
                return False
            self.token = self.proxy.capture()
            self._announce(candidate)
            self.candidate = candidate
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
            entry=msgspec.to_builtins(self._entry(candidate)),
            files=[
                {
                    "path": f.path,
                    "real": f.real,
                    "before": files.digest(f.before),
                    "after": files.digest(f.after),
                    "backup": b,
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
        if files.commit(temp, file.real):
            return
        self.report(
            f"warning: {file.path} is a mount point and cannot be renamed over: it is rewritten in place,"
            " which a reader could see half done (the journal keeps the old text)"
        )
        files.overwrite(file.real, file.after)

    def _apply(self) -> None:
        """Tell the proxy, if it runs: after a change, or when it has not loaded what the files say already."""
        assert self.candidate is not None  # noqa: S101  # for the type checker: open() made it
        if not self.candidate.files and self._stale(self.candidate):
            self.token = self.proxy.capture()
            self._announce(self.candidate)
            self.reloads = True
        if self.token is not None:
            self.at.journal.add("applying", token=self.token)
            self.proxy.apply(self.token)

    def _stale(self, candidate: Candidate) -> bool:
        """The file says so already, but the proxy runs something older: it must load it before that is true."""
        pending = self.proxy.pending() if self.proxy.running() else []
        if pending:
            self._test(candidate)
            self.report(f"{', '.join(pending)}: changed after {self.proxy.name} last loaded it; reloading")
        return bool(pending)

    def prove(self) -> None:
        """Wait for the proof. Raises NotTaken; then the caller must `abort`."""
        if self.token is not None:
            self.old_side = self.proxy.prove(self.token)

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
            pool=candidate.pool.name,
            proxy=self.proxy.name,
            conf=os.path.realpath(self.proxy.conf),
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


def recover(proxy: Proxy, at: Files, report: Callable[[str], None]) -> bool:
    """Finish or undo what a killed run left; the lock is held. True when there was something. Raises NeedsPerson."""
    records = at.journal.records()
    clear([os.path.dirname(proxy.conf)])
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


def clear(folders: Iterable[str]) -> None:
    """Remove dotfiles that killed runs left in these folders, and their copies for the test. A living run's stay."""
    for folder in {*folders, str(state.sub("staging"))}:
        for stray in files.strays(folder):
            with contextlib.suppress(OSError):  # another user's: it does no harm, and is theirs to remove
                files.remove(stray)


def undo(proxy: Proxy, at: Files) -> None:
    """Give the files the bytes they had, make the proxy load them if it may have loaded others, and end the journal.

    Can be run again after it was killed itself. Raises NeedsPerson when a person edited a file meanwhile, or when the
    proxy cannot be shown to run the old config.
    """
    records = at.journal.records()
    restored = [r for r in (_restore(entry) for entry in records[0]["files"]) if r]
    applied = [r for r in records if r["kind"] == "applying"]
    if proxy.running() and (restored or applied) and not _reloaded(proxy, applied):
        raise NeedsPerson(
            f"{proxy.name} cannot be shown to run the restored config again",
            state=f"the files are as they were before ({', '.join(restored) or 'unchanged'}), what runs may be newer",
            next_step=f"look at the error log, reload {proxy.name} by hand, then run: proxyswitch recover",
        )
    at.journal.end()


def _restore(entry: Record) -> str | None:
    """Restore one file if it holds our bytes; returns its name then. Raises NeedsPerson if it holds anybody else's."""
    real, backup = entry["real"], entry["backup"]
    clear([os.path.dirname(real)])
    try:
        data = files.read(real)
    except FileNotFoundError:
        data = b""
    now = files.digest(data)
    if now == entry["before"]:
        return None
    before, after = files.read(backup), files.read(backup + ".new")
    if now != entry["after"] and not files.is_torn(data, before, after):
        raise NeedsPerson(
            f"{entry['path']} was edited by somebody in the middle of an interrupted change",
            state=f"the file is as that person left it; the text from before the change is in {backup}",
            next_step=f"compare them (diff {backup} {real}); when the file is right: proxyswitch recover --keep",
        )
    _put_back(real, before, backup)
    return str(entry["path"])


def _put_back(real: str, before: bytes, backup: str) -> None:
    try:
        temp = files.prepare(real, before, "old")
        if not files.commit(temp, real):
            files.remove(temp)
            files.overwrite(real, before)
    except (ProxyswitchError, OSError) as error:
        raise NeedsPerson(
            f"{real}: the old text cannot be put back: {error}",
            state=f"the file still has the new text; the old one is in {backup}",
            next_step="mend the cause, then run: proxyswitch recover",
        ) from error


def _reloaded(proxy: Proxy, applied: list[Record]) -> bool:
    """True when the proxy runs the restored config: it took it now, or it never took the other one."""
    token = proxy.capture()
    proxy.apply(token)
    try:
        proxy.prove(token)
    except NotTaken:
        return all(proxy.untouched(record["token"]) for record in applied) and proxy.untouched(token)
    return True


def keep(at: Files) -> bool:
    """Forget an interrupted change and keep the files as they are now. True when there was one."""
    found = bool(at.journal.records())
    at.journal.end()
    return found


def preview(proxy: Proxy, pool: str, intent: Intent, *, force: bool = False) -> Candidate:
    """What a change would do, for `--dry-run`: no lock, nothing written, nothing asked of the proxy."""
    now: Pool = proxy.pool(pool)
    change = intents.changes(intent, now, force=force)
    if not change.servers:
        return Candidate(now, change, ())
    candidate = proxy.candidate(pool, change)
    candidate.verify()
    return candidate
