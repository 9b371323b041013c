"""nginx by its config and a reload: the way for a config as it is."""

from __future__ import annotations

import os
from typing import Any

from proxyswitch.conf.nginx import chain, pools
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.pools import Upstream
from proxyswitch.errors import UsageError
from proxyswitch.model import Pool, PoolChange, Problem, ProcessId
from proxyswitch.proxies import nginx_master, nginx_reload
from proxyswitch.proxies.base import Candidate, FileChange, Left, NotTaken, Options, Seen, no_pool
from proxyswitch.proxies.nginx_master import Arguments, Master
from proxyswitch.proxies.nginx_reload import Generation
from proxyswitch.system import files, proc, signals

# A file that changed this short before the workers started (seconds) was read by them: start times count in 0.01 s.
CLOCK_SLACK = 0.05


class Nginx:
    """An nginx, running or not, found by its config or by its master process."""

    name = "nginx"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.conf, self.master = self._locate()
        if options.mode not in ("", "reload"):
            raise UsageError(f"--mode {options.mode}: nginx takes a change by a reload", next_step="leave --mode out")
        self.options = options._replace(conf=self.conf)
        self._config: Config | None = None
        self._test_seconds = 0.0

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.conf,)

    @property
    def folders(self) -> set[str]:
        return {os.path.dirname(self.conf)}

    # where it is

    def _locate(self) -> tuple[str, Master | None]:
        if self.options.conf:
            return self._named(self.options.conf)
        found = nginx_master.masters()
        confs = {os.path.realpath(_conf_of(m)): m for m in found}
        if len(confs) > 1:
            listed = "; ".join(f"pid {m.process.pid} with {_conf_of(m)}" for m in confs.values())
            raise UsageError(f"several nginx run here: {listed}", next_step="name the config of yours with --nginx-conf")
        for master in confs.values():
            return _conf_of(master), master
        binary = self.binary_file()
        return nginx_master.conf_of(binary, Arguments()), None

    def _named(self, conf: str) -> tuple[str, Master | None]:
        path = os.path.abspath(conf)
        if os.path.isdir(os.path.dirname(path)) and not os.access(os.path.dirname(path), os.X_OK):
            raise UsageError(f"{path}: no permission to read it", next_step="run it as a user who may")
        if not os.path.isfile(path):
            raise UsageError(f"{path}: no such config file", next_step="name the main config, such as nginx.conf")
        real = os.path.realpath(path)
        mine = [m for m in nginx_master.masters() if os.path.realpath(_conf_of(m)) == real]
        if len(mine) > 1:
            # two masters with one config, as in the midst of an upgrade: the pid file tells which is to be signalled
            config = chain.load(path)
            mine = [m for m in mine if m.process.pid == self._pid_in_file(config, m.binary, m.arguments)] or mine
        return (_conf_of(mine[0]), mine[0]) if mine else (path, None)

    def _pid_in_file(self, config: Config, binary: str, arguments: Arguments) -> int:
        """The pid in the config's pid file; 0 when there is none."""
        named = _main_value(config, b"pid") or nginx_master.build(binary).pid
        try:
            return int(files.read(os.path.join(nginx_master.prefix_of(binary, arguments), named)))
        except (OSError, ValueError):
            return 0

    def binary_file(self) -> str:
        """The nginx program. Raises UsageError, with how to install it."""
        if self.options.binary or not getattr(self, "master", None):
            return nginx_master.find_binary(self.options.binary)
        assert self.master  # noqa: S101  # for the type checker: tested above
        return self.master.binary

    @property
    def arguments(self) -> Arguments:
        return self.master.arguments if self.master else Arguments()

    def running(self) -> bool:
        return self.master is not None and proc.alive(self.master.process)

    # what it says

    def config(self) -> Config:
        """The config as it is on disk now."""
        self._config = chain.load(self.conf)
        return self._config

    def pools(self) -> list[Pool]:
        return [upstream.pool() for upstream in pools.upstreams(self.config())]

    def pool(self, name: str) -> Pool:
        return self._upstream(self.config(), name).pool()

    def _upstream(self, config: Config, name: str) -> Upstream:
        context, _, plain = name.rpartition(":")
        found = [u for u in pools.upstreams(config, plain) if context in ("", u.context)]
        if not found:
            known = [u.name for u in pools.upstreams(config)]
            raise no_pool(name, known, f"{self.conf} and its includes", "it has no upstream at all")
        if len(found) > 1:
            places = ", ".join(f"{u.where} ({u.context})" for u in found)
            raise UsageError(
                f"the pool {name} is there {len(found)} times: {places}",
                next_step=f"name it with its context, as http:{plain} or stream:{plain}, or remove one",
            )
        return found[0]

    def serving(self, pool: Pool) -> Pool:
        return pool

    def seen(self, pools: list[Pool]) -> dict[tuple[str, str], Seen]:
        from proxyswitch.system import net

        counts = net.connections([s.endpoint for p in pools for s in p.servers if s.endpoint])
        return {(p.name, s.label): Seen(counts.get(s.endpoint)) for p in pools for s in p.servers if s.endpoint}

    # changing it

    def mode(self, candidate: Candidate) -> str:  # noqa: ARG002  # it is the same for every change
        return "reload" if self.running() else "file"

    def stale(self, candidate: Candidate) -> str:  # noqa: ARG002  # a reload takes the whole config
        pending = self.pending()
        return f"{', '.join(pending)}: changed after nginx last loaded it; reloading" if pending else ""

    def safe(self, candidate: Candidate) -> None:
        """nginx does not tell who answers."""

    def facts(self) -> dict[str, object]:
        return {}

    def candidate(self, name: str, change: PoolChange) -> Candidate:
        from proxyswitch.conf.nginx import edits
        from proxyswitch.conf.text import apply as apply_edits

        config = self._config or self.config()
        upstream = self._upstream(config, name)
        other = pools.shared_with(config, upstream)
        if other:
            raise UsageError(
                f"the server lines of {upstream.name} are shared with the pool {other.name} ({other.where}): an edit would"
                " change both",
                next_step="give each pool its own include file",
            )
        changed = {edit.document.real: apply_edits(edit.document.data, edit.edits) for edit in edits.edit(upstream, change)}
        return Candidate(
            upstream.pool(),
            change,
            tuple(_file_change(config, real, data) for real, data in changed.items()),
            lambda: _verify(config, upstream, changed, change),
        )

    def allowed(self, candidate: Candidate) -> None:
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
        pid = self._pid_in_file(self._config or self.config(), self.binary_file(), self.arguments)
        if signals.exists(pid) and not proc.title(pid):
            raise UsageError(
                f"nginx's pid file names process {pid}, which runs but which this user may not see",
                next_step="run it as the user who started nginx, or with sudo",
            )

    def stage(self, candidate: Candidate) -> list[Problem]:
        from proxyswitch.proxies import nginx_stage
        from proxyswitch.system import state

        binary = self.binary_file()
        config = self._config or self.config()
        stage = nginx_stage.Stage(config, state.sub("staging"))
        changed = {file.real: file.after for file in candidate.files}
        result = stage.test(changed, binary, self.arguments, candidate.verify)
        self._test_seconds = result.seconds
        return nginx_stage.judge(result, stage, running=self.running())

    def pending(self) -> list[str]:
        if not self.master:
            return []
        active = nginx_reload.workers(self.master.process).active
        if not active:
            return []
        loaded = min(proc.started(p) for p in active) + CLOCK_SLACK
        documents = (self._config or self.config()).documents.values()
        return sorted(d.path for d in documents if files.modified(d.real) > loaded)

    def capture(self, candidate: Candidate) -> Any:  # noqa: ARG002
        return self._now()

    def _now(self) -> Any:
        if not self.master or not self.running():
            return None
        nginx_reload.check_generations(nginx_reload.workers(self.master.process), self.options.max_old_workers)
        return _as_data(nginx_reload.capture(self.master.process, self._error_log()))

    def make_way(self, pool: str, names: set[str] | None = None) -> None:
        """There is nothing beside the config."""

    def refresh(self, pool: str) -> None:
        """The same."""

    def apply(self, candidate: Candidate, token: Any) -> None:  # noqa: ARG002
        nginx_reload.reload(_as_generation(token).master)

    def prove(self, candidate: Candidate, token: Any) -> Any:  # noqa: ARG002
        return self._proven(token)

    def _proven(self, token: Any) -> Any:
        before = _as_generation(token)
        nginx_reload.prove(before, max(self.options.reload_timeout, 3 + 10 * self._test_seconds))
        return [[p.pid, p.start] for p in before.active | before.old]

    def revert(self, pool: str, token: Any, *, applied: bool) -> None:  # noqa: ARG002  # a reload takes all
        """It took the restored config now, or it never took the other one."""
        now = self._now()
        nginx_reload.reload(_as_generation(now).master)
        try:
            self._proven(now)
        except NotTaken:
            if not _untouched(now) or (applied and not _untouched(token)):
                raise

    # the old side

    def release(self, token: Any) -> None:
        """Workers that stop close by themselves what waits."""

    def draining(self, token: Any) -> Left | None:
        return nginx_reload.draining([ProcessId(pid, start) for pid, start in token or []])

    def stays(self, token: Any) -> str:  # noqa: ARG002
        return ""

    def press(self, token: Any) -> str:  # noqa: ARG002
        return ""

    def cut(self, token: Any) -> str:  # noqa: ARG002
        return ""

    def leftovers(self, pool: str = "") -> Any:  # noqa: ARG002  # an old worker may hold requests to any pool
        old = nginx_reload.workers(self.master.process).old if self.master else ()
        return [[p.pid, p.start] for p in sorted(old, key=lambda p: p.start)]

    def says(self, name: bytes) -> bool:
        """True when such a directive stands in the `http` block or outside all blocks."""
        from proxyswitch.conf.nginx import verify

        config = self._config or self.config()
        return any(row[0] <= 1 and row[1] == name for d in config.documents.values() for _, row in verify.rows(d))

    def _error_log(self) -> str:
        """The main error log, if it is a file."""
        named = _main_value(self._config or self.config(), b"error_log") or self.arguments.error_log
        named = named or nginx_master.build(self.binary_file()).error_log
        if named == "stderr" or named.startswith(("syslog:", "memory:")):
            return ""
        return os.path.join(nginx_master.prefix_of(self.binary_file(), self.arguments), named)


def _conf_of(master: Master) -> str:
    return nginx_master.conf_of(master.binary, master.arguments)


def _main_value(config: Config, name: bytes) -> str:
    """The first argument of the last such directive outside all blocks."""
    found = ""
    for visit in config.visits:
        for directive in visit.document.directives if not visit.context else ():
            if directive.name == name:
                found = next(iter(visit.document.text(directive)), found)
    return found


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


def _untouched(token: Any) -> bool:
    before = _as_generation(token)
    return proc.alive(before.master) and nginx_reload.untouched(before)


def _as_data(generation: Generation) -> dict[str, Any]:
    def pairs(processes: frozenset[ProcessId]) -> list[list[int]]:
        return [[p.pid, p.start] for p in processes]

    master = generation.master
    return {
        "master": [master.pid, master.start],
        "active": pairs(generation.active),
        "old": pairs(generation.old),
        "log": generation.log,
        "log_size": generation.log_size,
    }


def _as_generation(token: Any) -> Generation:
    if token is None:
        raise NotTaken("nginx does not run")
    active, old = (frozenset(ProcessId(*pair) for pair in token[key]) for key in ("active", "old"))
    return Generation(ProcessId(*token["master"]), active, old, token["log"], token["log_size"])
