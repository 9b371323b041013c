"""nginx in a container: its files are edited here, where they are mounted from; its own program tests them in there.

A candidate cannot be tested beside the live files, since the main config is part of the image as a rule. So the files are
written first, under the journal. nginx reads them when it is told, not before: they are tested in between, and restored
when nginx refuses them. The reload is proven as ever, by its processes, which are processes of this machine.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable
from typing import Any

from proxyswitch.conf.nginx import chain
from proxyswitch.conf.nginx.chain import Config, Names
from proxyswitch.conf.nginx.tree import Document
from proxyswitch.errors import Failed, ProxyswitchError, UsageError
from proxyswitch.model import Pool, PoolChange, Problem, ProcessId
from proxyswitch.proxies import (
    nginx_box,
    nginx_find,
    nginx_in_place,
    nginx_master,
    nginx_reload,
    nginx_restored,
    nginx_stage,
)
from proxyswitch.proxies.base import Adopting, Candidate, NotTaken, Options, Seen
from proxyswitch.proxies.nginx import Nginx
from proxyswitch.proxies.nginx_box import Box
from proxyswitch.proxies.nginx_master import Arguments, Build, Master
from proxyswitch.proxies.nginx_mounts import Paths
from proxyswitch.system import clock, files, proc, signals

MAIN = "/etc/nginx/nginx.conf"


class Contained(Nginx):
    """An nginx that is reached through the words `nginx.exec`."""

    main: str  # the main config by its name inside
    _untold = False  # the files that lie there were refused: nginx was told nothing

    # where it is

    def _locate(self, options: Options) -> tuple[str, Master | None]:
        """Raises UsageError when we cannot look into the container, unless the settings say where its files are."""
        self.box = Box(options)
        self.down: UsageError | None = None
        found: tuple[tuple[str, str], ...] = ()
        master = None
        try:
            found, master = self.box.look()
        except UsageError as error:
            if not options.paths:
                raise
            self.down = error
        self.paths = Paths((*options.paths, *found))
        self.names = Names(self._read, self._real, self._glob, self._shown)
        self.main = self._main(options, master)
        return self._shown(self.main), master

    def _main(self, options: Options, master: Master | None) -> str:
        """The main config inside. One that is named may be named as here, or as in there."""
        if options.conf:
            named = os.path.abspath(options.conf)
            return named if self.paths.here(named) else self.paths.inside(named) or named
        if self.down:
            return MAIN
        arguments = master.arguments if master else Arguments()
        if arguments.conf.startswith("/"):
            return arguments.conf
        return nginx_master.conf_in(self._build(master.binary if master else "nginx"), arguments)

    def _found_by(self, options: Options) -> Options:
        return options._replace(conf=self.main, paths=self.paths.pairs)

    def binary_file(self) -> str:
        return self.options.binary or (self.master.binary if self.master else "nginx")

    def build(self) -> Build:
        """What the nginx in there was built with. Raises UsageError."""
        return self._build(self.binary_file())

    def _build(self, binary: str) -> Build:
        return nginx_master.read_build(self.box.run(binary, "-V"), f"{self.box} {binary}")

    def prefix(self) -> str:
        return self.arguments.prefix or self.build().prefix

    # its files

    def file(self, name: str) -> str:
        return self._real(super().file(name))

    def config(self) -> Config:
        self._config = chain.load(self.main, self.names)
        return self._config

    def _read(self, inside: str) -> bytes:
        here = self.paths.here(self.paths.real(inside))
        if here:
            return chain.read_file(here)
        if self.down:
            raise self.down
        return self.box.read(inside)

    def _glob(self, pattern: str) -> Iterable[str]:
        here = self.paths.here(pattern)
        if here:
            return [self.paths.inside(name) for name in glob.glob(here)]
        if self.down:
            raise self.down
        return self.box.matching(pattern)

    def _real(self, inside: str) -> str:
        return self._shown(self.paths.real(inside))

    def _shown(self, inside: str) -> str:
        """The name here; for a file that only the container has one that no file has."""
        return self.paths.here(inside) or os.path.join(self.options.cwd, f"{self.box.name}:{inside}")

    def _documents(self) -> Iterable[Document]:
        return (d for d in super()._documents() if self.paths.inside(d.real))

    def _log(self) -> str:
        """The error log, if it is a file that we may read."""
        config = self._config or self.config()
        named = nginx_find.main_value(config, b"error_log") or self.arguments.error_log or self.build().error_log
        if named == "stderr" or named.startswith(("syslog:", "memory:")) or not self.master:
            return ""
        inside = self.paths.real(super().file(named))
        path = self.paths.here(inside) or f"/proc/{self.master.process.pid}/root{inside}"
        return path if os.path.isfile(path) and not os.path.islink(path) else ""

    # what it says

    def seen(self, pools: list[Pool]) -> dict[tuple[str, str], Seen]:
        """Connections are counted only where nginx shares this machine's network."""
        return super().seen(pools) if self.near() else {}

    def near(self) -> bool:
        return self.master is not None and proc.shares_network(self.master.process.pid)

    def _processes(self) -> list[int]:
        if self.master and not self.near():
            raise Failed("nginx runs in a container with a network of its own: its connections cannot be counted from here")
        return super()._processes()

    def barred(self, folder: str) -> str:  # noqa: ARG002
        """What a mounted folder is called here, and what lies above it, bars nobody in there."""
        return ""

    # changing it

    def candidate(self, name: str, change: PoolChange) -> Candidate:
        made = super().candidate(name, change)
        marked = tuple(file._replace(in_place=self.paths.alone(file.real)) for file in made.files)
        return made._replace(files=marked)

    def adoption(self, pool: str, wish: Adopting) -> Candidate:  # noqa: ARG002
        raise UsageError(
            f"adopt {pool}: nginx runs in a container, and its config cannot be moved to instant mode by this command yet",
            next_step="switch it as it is: every switch is a reload",
        )

    def plain(self, pool: str, pick: Callable[[Pool], PoolChange]) -> Candidate:  # noqa: ARG002
        raise UsageError(f"adopt --undo {pool}: nginx runs in a container, where adopt does nothing")

    def allowed(self, candidate: Candidate) -> None:
        """Raises UsageError too where the change could not be tested, or the reload not be proven."""
        if self.down:
            raise UsageError(f"{self.down.what}; nginx could not test the change", next_step=self.down.next_step)
        if not self.running():
            raise UsageError(
                "no nginx is seen to run in the container: a reload could not be proven",
                next_step="start it; where it runs, run this as root, and on the machine that the container runs on",
            )
        if candidate.wish:
            self.paths.check_mounted(candidate.wish.folder)
        for file in candidate.files:
            self.paths.check_mounted(file.real)
            files.check_writable(file.real)

    def _tested(self, candidate: Candidate) -> list[Problem]:
        """nginx tests it when it lies in place."""
        candidate.verify()
        return []

    def capture(self, candidate: Candidate) -> Any:
        self._times = {file.real: self._modified(file.real) for file in candidate.files}
        return super().capture(candidate)

    def _modified(self, real: str) -> float:
        return nginx_restored.modified(real)

    def apply(self, candidate: Candidate, token: Any) -> None:
        """Let nginx test what lies there now, then tell it. Raises Rejected or Failed, and then nginx was told nothing."""
        self._untold = False
        if candidate.files or not candidate.pool.instant:
            try:
                self._accepted(candidate)
            except ProxyswitchError:
                self._untold = True
                raise
        super().apply(candidate, token)

    def _accepted(self, candidate: Candidate) -> None:
        nginx_in_place.check_seen(self.box, {self.paths.inside(file.real): file for file in candidate.files})
        result = self.box.run(*self._argv("-t"), timeout=nginx_stage.TIMEOUT)
        self._test_seconds = result.seconds
        nginx_in_place.judge(result, lambda inside: self._shown(self.paths.real(inside)))

    def _argv(self, *what: str) -> tuple[str, ...]:
        """The program with the arguments of the running master."""
        return nginx_stage.words(self.binary_file(), what, self.main, self.arguments)

    def _tell(self, master: ProcessId) -> None:
        """Who may not signal it from here, lets it be told in there."""
        if signals.may_signal(master):
            nginx_reload.reload(master)
            return
        result = self.box.run(*self._argv("-s", "reload"))
        if not result.ok:
            raise NotTaken(f"nginx could not be told to reload: {nginx_box.why(result)}")

    def _proven(self, token: Any) -> Any:
        begun = clock.now()
        try:
            return super()._proven(token)
        except NotTaken as error:
            master = proc.inner_pid(self.master.process.pid) if self.master else 0
            raise nginx_in_place.explained(error, self.box, master, clock.now() - begun) from error

    def can_tell(self, token: Any) -> bool:
        """Where we cannot look, nobody may take nginx for stopped: `revert` says so then."""
        return self.down is not None or super().can_tell(token)

    def revert(self, pool: str, token: Any, *, applied: bool) -> None:
        """Nothing is to be taken back where nginx was told nothing."""
        if self.down:
            raise self.down
        if not self._untold:
            super().revert(pool, token, applied=applied)
            return
        for real, modified in self._times.items():
            nginx_restored.note(real, modified)
