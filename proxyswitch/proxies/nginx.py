"""nginx: by its config and a reload, the way for a config as it is; pools in instant mode by their flag."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from proxyswitch.conf.nginx import chain, instant
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.instant import InstantPool
from proxyswitch.conf.nginx.tree import Document
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Pool, PoolChange, Problem, ProcessId
from proxyswitch.proxies import nginx_find, nginx_flags, nginx_instant, nginx_master, nginx_pools, nginx_reload
from proxyswitch.proxies.base import Adopting, Candidate, Closing, Counter, Left, NotTaken, Options, Seen
from proxyswitch.proxies.nginx_master import Arguments, Master
from proxyswitch.system import files, proc, signals

# A file that changed this short before the workers started (seconds) was read by them: start times count in 0.01 s.
CLOCK_SLACK = 0.05
MODES = ("reload", "instant")


class Nginx:
    """An nginx, running or not, found by its config or by its master process."""

    name = "nginx"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.conf, self.master = self._locate(options)
        if options.mode not in ("", *MODES):
            raise UsageError(f"--mode {options.mode}: nginx has {' and '.join(MODES)}", next_step="leave --mode out")
        self.options = self._found_by(options)
        self._config: Config | None = None
        self._test_seconds = 0.0
        self._watch = nginx_instant.Watch(self._processes)

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.conf,)

    @property
    def folders(self) -> set[str]:
        return {os.path.dirname(self.conf)}

    # where it is

    def _locate(self, options: Options) -> tuple[str, Master | None]:
        """The main config, and the master that runs with it."""
        return nginx_find.locate(options)

    def _found_by(self, options: Options) -> Options:
        """With what the same nginx is found again, by another run."""
        return options._replace(conf=self.conf)

    def binary_file(self) -> str:
        """The nginx program. Raises UsageError, with how to install it."""
        if self.options.binary or not self.master:
            return nginx_master.find_binary(self.options.binary)
        return self.master.binary

    @property
    def arguments(self) -> Arguments:
        return self.master.arguments if self.master else Arguments()

    def near(self) -> bool:
        return True

    def running(self) -> bool:
        return self.master is not None and proc.alive(self.master.process)

    def _processes(self) -> list[int]:
        """The master and all its workers, those that are ending too. Raises Failed where we cannot see their connections."""
        if self.master is None:
            return []
        pid = self.master.process.pid
        theirs, ours = proc.link(pid, "ns/net"), proc.link(os.getpid(), "ns/net")
        if theirs and theirs != ours:
            raise Failed(f"nginx (pid {pid}) runs in another network namespace: its connections cannot be counted from here")
        return [pid, *proc.children(pid)]

    def file(self, name: str) -> str:
        """A file that the config names, where it is found here."""
        return name if name.startswith("/") else os.path.join(self.prefix(), name)

    def prefix(self) -> str:
        """The folder that the names of its own files start from."""
        return nginx_master.prefix_of(self.binary_file(), self.arguments)

    # what it says

    def config(self) -> Config:
        """The config as it is on disk now."""
        self._config = chain.load(self.conf)
        return self._config

    def pools(self) -> list[Pool]:
        return nginx_pools.every(self.config())

    def pool(self, name: str) -> Pool:
        config = self.config()
        found = self.instant(name, config)
        return nginx_instant.pool(found) if found else nginx_pools.upstream(config, name).pool()

    def instant(self, name: str, config: Config | None = None) -> InstantPool | None:
        """The pool of that name when it is in instant mode."""
        return nginx_pools.by_flag(config or self._config or self.config(), name)

    def serving(self, pool: Pool) -> Pool:
        return pool

    def seen(self, pools: list[Pool]) -> dict[tuple[str, str], Seen]:
        from proxyswitch.system import net

        counts = net.connections([s.endpoint for p in pools for s in p.servers if s.endpoint])
        return {(p.name, s.label): Seen(counts.get(s.endpoint)) for p in pools for s in p.servers if s.endpoint}

    # changing it

    def mode(self, candidate: Candidate) -> str:
        if _by_flag(candidate):
            return "instant"
        return "reload" if self.running() else "file"

    def stale(self, candidate: Candidate) -> str:
        if _by_flag(candidate):
            return nginx_instant.stale(candidate)
        pending = self.pending()  # a reload takes the whole config
        return f"{', '.join(pending)}: changed after nginx last loaded it; reloading" if pending else ""

    def safe(self, candidate: Candidate) -> None:
        """nginx does not tell who answers; in instant mode the other slot would hide that nobody does."""
        if _by_flag(candidate):
            nginx_instant.safe(candidate)

    def facts(self) -> dict[str, object]:
        return {}

    def candidate(self, name: str, change: PoolChange) -> Candidate:
        config = self._config or self.config()
        found = self.instant(name, config)
        self._refuse_mode(name, found)
        return nginx_instant.candidate(found, change) if found else nginx_pools.edited(config, name, change)

    def _refuse_mode(self, name: str, found: InstantPool | None) -> None:
        """`--mode` names another way than the pool has."""
        if self.options.mode == "instant" and not found:
            raise UsageError(
                f"--mode instant: {name} is not in instant mode", next_step=f"move it there with: proxyswitch adopt {name}"
            )
        if self.options.mode == "reload" and found:
            raise UsageError(f"--mode reload: {name} is in instant mode, and needs no reload", next_step="leave --mode out")

    def adoption(self, pool: str, wish: Adopting) -> Candidate:
        from proxyswitch.proxies import nginx_adopt

        return nginx_adopt.adoption(self, pool, wish)

    def plain(self, pool: str, pick: Callable[[Pool], PoolChange]) -> Candidate:
        from proxyswitch.proxies import nginx_adopt

        return nginx_adopt.plain(self, pool, pick)

    def maintenance(self, pool: str, closing: Closing | None) -> Candidate:
        now, found = self.pool(pool), self.instant(pool)
        if not found:
            raise UsageError(
                f"{pool} is not in instant mode: nginx has nothing that could close it without an edit",
                next_step=f"move it there with: proxyswitch adopt {pool}",
            )
        return Candidate(now, PoolChange(now.name, ()), wish=nginx_instant.gate(found, closing))

    def closed(self, pool: str) -> str:
        from proxyswitch.proxies import nginx_gate

        found = self.instant(pool)
        return nginx_gate.told(found.flags) if found else ""

    def gates(self, pool: str) -> bool:
        return self.instant(pool) is not None

    def counter(self, pool: str, log: str) -> Counter | None:
        from proxyswitch.proxies import nginx_counts

        return nginx_counts.counter(self, pool, log)

    def trouble(self, pools: list[Pool]) -> list[Problem]:
        found = [self.instant(p.name) for p in pools if p.instant]
        return [problem for p in found if p for problem in nginx_instant.trouble(p)]

    def allowed(self, candidate: Candidate) -> None:
        if _by_flag(candidate):
            nginx_flags.check_writable(candidate.wish.folder)
            return
        for file in candidate.files:
            files.check_writable(file.real)
        folder = os.path.dirname(self.conf)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(
                f"{folder}: no permission to write the copy that nginx is to test",
                next_step="run it as a user who may, for instance with sudo",
            )
        if self.master is None:
            self._refuse_unseen()
        elif not signals.may_signal(self.master.process):
            raise UsageError(
                f"no permission to reload nginx (pid {self.master.process.pid})",
                next_step="run it as the user who started nginx, or with sudo",
            )

    def _refuse_unseen(self) -> None:
        """A master that we may not see would keep its old config while we say that none runs."""
        pid = nginx_find.pid_in_file(self._config or self.config(), self.binary_file(), self.arguments)
        if signals.exists(pid) and not proc.title(pid):
            raise UsageError(
                f"nginx's pid file names process {pid}, which runs but which this user may not see",
                next_step="run it as the user who started nginx, or with sudo",
            )

    def stage(self, candidate: Candidate) -> list[Problem]:
        if _by_flag(candidate):
            self._refuse_barred(candidate.wish.folder)
            nginx_instant.prepare(candidate)
            return [*self._noted(candidate), *self._not_loaded(candidate.pool.name)]
        return [*self._prepared(candidate), *self._tested(candidate)]

    def _refuse_barred(self, folder: str) -> None:
        """A flag that nginx cannot see would move nothing."""
        bars = self.barred(folder) if self.running() else ""
        if bars:
            raise Failed(bars, next_step="do that, then run it again; nginx cannot see the flag until then")

    def barred(self, folder: str) -> str:
        """What keeps nginx's worker user from a flag folder; empty when nothing does, as far as that can be told.

        A folder that is missing bars nobody: it is made by the next switch.
        """
        from proxyswitch.proxies import nginx_worker

        if not os.path.isdir(folder):
            return ""
        user = nginx_worker.worker_identity(self.master.process) if self.master else None
        if user is None:  # who starts nginx is taken to be who runs us
            words = nginx_find.user(self._config or self.config())
            user = nginx_worker.configured_identity(self.binary_file(), *words, as_root=os.geteuid() == 0)
        return nginx_worker.unreachable(folder, user) or ""

    def _noted(self, candidate: Candidate) -> list[Problem]:
        """Where the log of tries stands before the share changes, so that what came of it can be told."""
        config, target = self._config or self.config(), candidate.wish.green
        found = self.instant(candidate.pool.name, config) if target else None
        if found and instant.may_have_log(config):
            from proxyswitch.proxies import nginx_canary

            return nginx_canary.note(self, config, found, target)
        return [nginx_instant.unseen(found.name)] if found and nginx_flags.is_canary(target) else []

    def _prepared(self, candidate: Candidate) -> list[Problem]:
        """The flag folder of a pool that goes into instant mode is there before its config is."""
        if not candidate.wish:
            return []
        from proxyswitch.proxies import nginx_adopt

        return nginx_adopt.prepare(self, candidate.wish)

    def _tested(self, candidate: Candidate) -> list[Problem]:
        from proxyswitch.proxies import nginx_stage
        from proxyswitch.system import state

        binary = self.binary_file()
        config = self._config or self.config()
        stage = nginx_stage.Stage(config, state.sub("staging"))
        changed = {file.real: file.after for file in candidate.files}
        result = stage.test(changed, binary, self.arguments, candidate.verify)
        self._test_seconds = result.seconds
        return nginx_stage.judge(result, stage.own_names, running=self.running())

    def _not_loaded(self, name: str) -> list[Problem]:
        """Files of an instant pool that nginx may not have loaded: whether it looks at the flag is not known then."""
        found = self.instant(name)
        wheres = (found.blue.where, found.green.where, *(w.where for w in found.lookups)) if found else ()
        step = "nginx -t, then nginx -s reload"
        places = {where.path for where in wheres}
        return [Problem(f"{p} was changed after nginx last loaded it", step) for p in self.pending() if p in places]

    def pending(self) -> list[str]:
        if not self.master:
            return []
        active = nginx_reload.workers(self.master.process).active
        if not active:
            return []
        loaded = min(proc.started(p) for p in active) + CLOCK_SLACK
        return sorted(d.path for d in self._documents() if self._modified(d.real) > loaded)

    def _modified(self, real: str) -> float:
        return files.modified(real)

    def _documents(self) -> Iterable[Document]:
        """The files of the config whose times can be known."""
        return (self._config or self.config()).documents.values()

    def capture(self, candidate: Candidate) -> Any:
        return nginx_instant.capture(candidate) if _by_flag(candidate) else self._now()

    def can_tell(self, token: Any) -> bool:
        return nginx_instant.is_token(token) or self.running()

    def _now(self) -> Any:
        if not self.master or not self.running():
            return None
        log = self._log()
        nginx_reload.check_generations(nginx_reload.workers(self.master.process), self.options.max_old_workers)
        return nginx_reload.as_data(nginx_reload.capture(self.master.process, log))

    def _log(self) -> str:
        """The error log, if it is a file."""
        return nginx_find.error_log(self._config or self.config(), self.binary_file(), self.arguments)

    def make_way(self, pool: str, names: set[str] | None = None) -> None:
        """There is nothing beside the config."""

    def refresh(self, pool: str) -> None:
        """The same."""

    def apply(self, candidate: Candidate, token: Any) -> None:
        if _by_flag(candidate):
            nginx_instant.apply(candidate)
        else:
            self._tell(nginx_reload.from_data(token).master)

    def _tell(self, master: ProcessId) -> None:
        """Tell that very master to read its config again."""
        nginx_reload.reload(master)

    def prove(self, candidate: Candidate, token: Any) -> Any:
        return nginx_instant.prove(candidate) if _by_flag(candidate) else self._proven(token)

    def _proven(self, token: Any) -> Any:
        before = nginx_reload.from_data(token)
        nginx_reload.prove(before, max(self.options.reload_timeout, 3 + 10 * self._test_seconds), self._tell)
        return [[p.pid, p.start] for p in before.active | before.old]

    def revert(self, pool: str, token: Any, *, applied: bool) -> None:  # noqa: ARG002  # a reload takes all
        """It took the restored config now, or it never took the other one."""
        if nginx_instant.is_token(token):
            nginx_instant.revert(token)
            return
        now = self._now()
        self._tell(nginx_reload.from_data(now).master)
        try:
            self._proven(now)
        except NotTaken:
            if not nginx_reload.still(now) or (applied and not nginx_reload.still(token)):
                raise

    # the old side

    def release(self, token: Any) -> None:
        """Workers that stop close by themselves what waits."""

    def draining(self, token: Any) -> Left | None:
        if nginx_instant.is_token(token):
            return self._watch.left(token)
        return nginx_reload.draining([ProcessId(pid, start) for pid, start in token or []])

    def stays(self, token: Any) -> str:  # noqa: ARG002
        return ""

    def press(self, token: Any) -> str:  # noqa: ARG002
        return ""

    def cut(self, token: Any) -> str:  # noqa: ARG002
        return ""

    def leftovers(self, pool: str = "") -> Any:
        if pool and self.instant(pool):
            return nginx_instant.old_side(s for s in self.pool(pool).servers if s.down)
        old = nginx_reload.workers(self.master.process).old if self.master else ()
        return [[p.pid, p.start] for p in sorted(old, key=lambda p: p.start)]

    def says(self, name: bytes) -> bool:
        """True when such a directive stands in the `http` block or outside all blocks."""
        from proxyswitch.conf.nginx import verify

        config = self._config or self.config()
        return any(row[0] <= 1 and row[1] == name for d in config.documents.values() for _, row in verify.rows(d))


def _by_flag(candidate: Candidate) -> bool:
    """True for a change that the flag of a pool makes; one with files takes a reload."""
    return candidate.pool.instant and not candidate.files
