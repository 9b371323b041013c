"""HAProxy, by its runtime API and its config together: the one takes effect at once, the other lasts over a reload."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import cached_property
from typing import Any

from proxyswitch.conf.haproxy import pools
from proxyswitch.conf.haproxy.config import Config, expand
from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Pool, PoolChange, Problem, ServerState
from proxyswitch.proxies import haproxy_find, haproxy_marks, haproxy_old_side, haproxy_pools, haproxy_states, haproxy_wishes
from proxyswitch.proxies.base import Adopting, Candidate, Closing, Counter, Left, Options, Seen, no_pool
from proxyswitch.proxies.haproxy_old_side import OldSide, Watcher
from proxyswitch.proxies.haproxy_socket import Master, Runtime, ServerRow
from proxyswitch.proxies.haproxy_wishes import Wish
from proxyswitch.system import files, proc

RELOAD, RUNTIME, FILE = "reload", "runtime", "file"
NO_SERVERS = "it has no backend with servers at all"


class Haproxy:
    """An HAProxy, running or not, found by its config, by its process, or by its runtime socket alone."""

    name = "haproxy"

    def __init__(self, options: Options) -> None:
        self.found = haproxy_find.locate(options)
        names = self.found.names
        self.options = options._replace(conf=next(iter(names), ""), more=names[1:])
        self._config: Config | None = None
        self.decided: tuple[Candidate, str] | None = None  # a reload changes what would be answered after it
        self.gating = False  # a gate was asked for: the config that was read may say less than the file
        self.conf = expand(names)[0] if names else str(haproxy_find.named_socket(options.socket)).removeprefix("unix:")

    @property
    def keys(self) -> tuple[str, ...]:
        socket = self.socket
        return tuple(dict.fromkeys([self.conf, *([socket.path or str(socket)] if socket else [])]))

    @property
    def folders(self) -> set[str]:
        from proxyswitch.proxies import haproxy_gate

        paths = [path for path, _ in haproxy_states.paths(self.known, self.folder)] if self.found.names else []
        own = {haproxy_marks.folder(), haproxy_gate.folder()}
        return {os.path.dirname(os.path.realpath(path)) for path in (self.conf, *paths)} | own

    # where it is

    def config(self) -> Config:
        """The config as it is on disk now; an empty one where only a socket is known."""
        self._config = haproxy_find.load(self.found, self.options) if self.found.names else Config(())
        return self._config

    @property
    def known(self) -> Config:
        """The config as it was last read."""
        return self._config or self.config()

    @property
    def folder(self) -> str:
        """Where relative names of HAProxy's own files count from."""
        return haproxy_find.arguments(self.found).folder

    def near(self) -> bool:
        return True

    def running(self) -> bool:
        instance = self.found.instance
        return not self.found.names or (instance is not None and proc.alive(instance.process))

    def look_again(self) -> None:
        """After a reload without a master another process serves."""
        if self.found.instance and not self.found.instance.master:
            self.found = haproxy_find.locate(self.options)

    @cached_property
    def socket(self) -> Endpoint | None:
        return next(iter(haproxy_find.sockets(self.known, self.options)), None)

    @cached_property
    def master(self) -> Master | None:
        """The master socket, where there is one that we can reach."""
        instance = self.found.instance
        endpoint = instance.arguments.master_endpoint if instance and instance.master else None
        return Master(endpoint) if endpoint else None

    @cached_property
    def runtime(self) -> Runtime | None:
        """The running worker: by its own socket, else through the master's. None when it does not run or has neither."""
        if not self.running():
            return None
        if self.socket:
            return Runtime(self.socket)
        return self.master.current() if self.master else None

    def rows(self, pool: str) -> dict[str, ServerRow]:
        """The servers of a pool as they run now. Raises what the socket raises."""
        return {row.server: row for row in self.runtime.servers(pool)} if self.runtime else {}

    # what it says

    def pools(self) -> list[Pool]:
        if self.found.names:
            return [backend.pool() for backend in pools.backends(self.config())]
        assert self.runtime  # noqa: S101  # without a config there is a socket
        return haproxy_pools.running(self.runtime, self.conf)

    def pool(self, name: str) -> Pool:
        if self.found.names:
            return self.backend(self.config(), name).pool()
        known = {pool.name: pool for pool in self.pools()}
        if name not in known:
            raise no_pool(name, list(known), self.conf, NO_SERVERS)
        return known[name]

    def backend(self, config: Config, name: str) -> Backend:
        """The pool's section. Raises UsageError when there is none, or more than one."""
        found = pools.backends(config, name)
        if not found:
            raise no_pool(name, [b.name for b in pools.backends(config)], self.conf, NO_SERVERS)
        if len(found) > 1:
            places = ", ".join(str(b.where) for b in found)
            raise UsageError(f"the pool {name} is there {len(found)} times: {places}", next_step="remove or rename one")
        return found[0]

    def serving(self, pool: Pool) -> Pool:
        if not self.found.names or not self.runtime:
            return pool
        return haproxy_pools.as_it_runs(pool, self.rows(pool.name))

    def seen(self, pools: list[Pool]) -> dict[tuple[str, str], Seen]:
        from proxyswitch.proxies import haproxy_view

        return haproxy_view.seen(self, pools) if self.runtime else {}

    def pending(self) -> list[str]:
        instance = self.found.instance
        if not instance or not self.running():
            return []
        worker = self.workers()[0]
        return haproxy_marks.pending(self.known, self.conf, worker[0]) if worker else []

    def workers(self) -> tuple[list[Any], list[Any]]:
        """The processes that serve, and those that only finish what they have."""
        from proxyswitch.proxies import haproxy_reload

        if not self.found.instance:
            return [], []
        state = haproxy_reload.capture(self.found.instance, None)
        return list(state.current), list(state.old)

    # changing it

    def candidate(self, name: str, change: PoolChange) -> Candidate:
        from proxyswitch.proxies import haproxy_edit

        if not self.found.names:
            return Candidate(self.pool(name), change)
        return haproxy_edit.candidate(self, name, change)

    def mode(self, candidate: Candidate) -> str:
        if self.decided is None or self.decided[0] is not candidate:
            self.decided = (candidate, self._mode(candidate))
        return self.decided[1]

    def _mode(self, candidate: Candidate) -> str:
        from proxyswitch.proxies import haproxy_edit

        if not self.running():
            if self.options.mode == RUNTIME:
                raise UsageError("--mode runtime: HAProxy does not run", next_step="start it, or leave --mode out")
            return FILE
        if not self.found.names:
            if self.options.mode == RELOAD:
                raise UsageError(
                    "--mode reload: only the runtime socket is known", next_step="name the config too, with --haproxy-conf"
                )
            return RUNTIME
        reload = not self.runtime or bool(candidate.wish) or haproxy_edit.structural(self, candidate)
        if reload and self.options.mode == RUNTIME:
            raise UsageError(
                f"--mode runtime: this change of {candidate.pool.name} takes a reload", next_step="leave --mode out"
            )
        return RELOAD if reload or self.options.mode == RELOAD else RUNTIME

    def wishes(self, candidate: Candidate) -> list[Wish]:
        return [haproxy_wishes.wish_of(server) for server in candidate.change.wanted]

    def stale(self, candidate: Candidate) -> str:
        if candidate.wish:
            from proxyswitch.proxies import haproxy_gate

            return haproxy_gate.stale(self, candidate)
        if not self.running():
            return ""
        if not self.runtime:
            pending = self.pending()
            return f"{', '.join(pending)}: changed after HAProxy last loaded it; reloading" if pending else ""
        rows = self.rows(candidate.pool.name)
        unlike = list(haproxy_wishes.unlike(self.wishes(candidate), rows))
        unlike += [text for _, text in haproxy_states.outdated(self.known, self.folder, list(rows.values()))]
        wanted = "the file says" if self.found.names else "wanted"
        return f"{candidate.pool.name}: what runs is not as {wanted}: {'; '.join(unlike)}" if unlike else ""

    def allowed(self, candidate: Candidate) -> None:
        for file in candidate.files:
            files.check_writable(file.real)
        if not self.running():
            return
        if self.mode(candidate) == RELOAD:
            self._may_reload()
        elif self.runtime and self.runtime.level() != "admin":
            raise self.runtime.channel.denied("set server")
        for path, _ in haproxy_states.paths(self.known, self.folder, candidate.pool.name):
            files.check_writable(os.path.realpath(path))

    def _may_reload(self) -> None:
        from proxyswitch.proxies import haproxy_trigger
        from proxyswitch.system import signals

        instance = self.found.instance
        assert instance  # noqa: S101  # it runs, and not by its socket alone
        haproxy_trigger.check(instance)
        if not self.master and not signals.may_signal(instance.process):
            raise UsageError(
                f"no permission to reload HAProxy (pid {instance.process.pid})",
                next_step="run it as the user who started HAProxy, or with sudo",
            )

    def safe(self, candidate: Candidate) -> None:
        from proxyswitch.conf.haproxy.checks import http_check
        from proxyswitch.proxies import haproxy_safety

        if self.runtime:
            name = candidate.pool.name
            ask = http_check(self.backend(self.known, name)) if self.found.names else None
            haproxy_safety.check(candidate, self.wishes(candidate), self.rows(name), ask)

    def stage(self, candidate: Candidate) -> list[Problem]:
        from proxyswitch.proxies import haproxy_stage, haproxy_warnings

        problems = list(haproxy_warnings.of(self, candidate))
        if not self.found.names:
            return problems
        if candidate.wish:
            from proxyswitch.proxies import haproxy_gate

            problems += haproxy_gate.stage(self, candidate)
        binary, arguments = haproxy_find.binary(self.found, self.options), haproxy_find.arguments(self.found)
        stage = haproxy_stage.Stage(self.known.files, binary, arguments, haproxy_find.environment(self.found))
        changed = {file.real: file.after for file in candidate.files}
        return problems + haproxy_stage.judge(stage.test(changed, candidate.verify), stage)

    # at work

    def capture(self, candidate: Candidate) -> Any:
        from proxyswitch.proxies import haproxy_reload

        if not self.running():
            return None
        mode, pool = self.mode(candidate), candidate.pool.name
        token: dict[str, Any] = {"mode": mode, "pool": pool}
        if self.runtime:
            rows = self.runtime.servers("" if mode == RELOAD else pool)
            token["rows"] = [[row.backend, *haproxy_wishes.as_data(haproxy_wishes.wish_for(row))] for row in rows]
        if mode == RELOAD and self.found.instance:
            token["reload"] = haproxy_reload.as_data(haproxy_reload.capture(self.found.instance, self.socket))
        token["pending"] = self.pending()
        return token

    def make_way(self, pool: str, names: set[str] | None = None) -> None:
        if self.found.names:
            haproxy_states.make_way(self.known, self.folder, pool, names, self.runtime)

    def apply(self, candidate: Candidate, token: Any) -> None:
        from proxyswitch.proxies import haproxy_apply

        haproxy_apply.apply(self, candidate, token)

    def prove(self, candidate: Candidate, token: Any) -> Any:
        from proxyswitch.proxies import haproxy_apply

        return haproxy_apply.prove(self, candidate, token)

    def revert(self, pool: str, token: Any, *, applied: bool) -> None:
        from proxyswitch.proxies import haproxy_apply

        haproxy_apply.revert(self, pool, token, applied=applied)

    def facts(self) -> dict[str, object]:
        return {"socket_seconds": round(self.runtime.seconds, 6)} if self.runtime else {}

    # the old side

    @cached_property
    def watcher(self) -> Watcher:
        cut = {(b.name, row.server.name) for b in pools.backends(self.known) for row in b.lines if row.cuts}
        return Watcher(self.runtime, self.master, cut)

    def leftovers(self, pool: str = "") -> Any:
        if not self.runtime:
            return haproxy_old_side.as_data(OldSide())
        rows = self.runtime.servers(pool)
        servers = tuple((row.backend, row.server) for row in rows if row.state is not ServerState.READY)
        keeps = tuple((b.name, b.keeps()) for b in pools.backends(self.known) if b.keeps() and pool in ("", b.name))
        return haproxy_old_side.as_data(OldSide(servers, self.watcher.left_addresses(rows), tuple(self.may_hold()), keeps))

    def may_hold(self) -> list[Any]:
        """The workers that may have sessions of servers that are out; the current one too: it can be reloaded away."""
        current, old = self.workers()
        return [*current, *old]

    def adoption(self, pool: str, wish: Adopting) -> Candidate:  # noqa: ARG002
        raise UsageError(
            f"{pool} is a pool of HAProxy, which switches at runtime without a reload: there is nothing to adopt"
        )

    def plain(self, pool: str, pick: Callable[[Pool], PoolChange]) -> Candidate:  # noqa: ARG002
        raise UsageError(f"{pool} is a pool of HAProxy, which has no instant mode of its own: there is nothing to undo")

    def maintenance(self, pool: str, closing: Closing | None) -> Candidate:
        from proxyswitch.proxies import haproxy_gate

        self.gating = True
        return haproxy_gate.candidate(self, pool, closing)

    def closed(self, pool: str) -> str:
        from proxyswitch.proxies import haproxy_gate

        return haproxy_gate.told(self.config() if self.gating else self.known, pool)

    def gates(self, pool: str) -> bool:  # noqa: ARG002
        return bool(self.found.names)

    def counter(self, pool: str, log: str) -> Counter | None:  # noqa: ARG002  # it counts by itself
        from proxyswitch.proxies import haproxy_counts

        return haproxy_counts.Counted(self.runtime, self.pool(pool)) if self.runtime else None

    def trouble(self, pools: list[Pool]) -> list[Problem]:  # noqa: ARG002  # `seen` and the stage tell it
        return []

    def can_tell(self, token: Any) -> bool:  # noqa: ARG002
        return self.running()

    def release(self, token: Any) -> None:
        with contextlib.suppress(Failed, UsageError):  # then it is what is left
            self.watcher.release(haproxy_old_side.from_data(token))

    def draining(self, token: Any) -> Left | None:
        old = haproxy_old_side.from_data(token)
        return self.watcher.left(old) if self.running() else None

    def stays(self, token: Any) -> str:
        old = haproxy_old_side.from_data(token)
        keeps = dict(old.keeps)
        return "; ".join(
            f"{keeps[pool]} keeps clients on {name} while it drains" for pool, name in old.servers if pool in keeps
        )

    def press(self, token: Any) -> str:
        old = haproxy_old_side.from_data(token)
        done = self.watcher.press(old)
        if done:
            self.refresh("")
        return done

    def cut(self, token: Any) -> str:
        return self.watcher.cut(haproxy_old_side.from_data(token))

    def refresh(self, pool: str) -> None:
        """The state files of a pool as it runs now."""
        if self.runtime and self.found.names:
            haproxy_states.refresh(self.known, self.folder, pool, self.runtime)
