"""Places to crash in with an HAProxy: its config, what runs, a state file, and whether they agree."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from proxyswitch.system import net
from tests.chaos.support import KILLED, history, journals, strays
from tests.e2e.haproxy_support import CONF, DRAIN, LOAD_STATE, MAINT, STATE_FILE, HaproxyBench, rows
from tests.e2e.support import Run
from tests.ports import free_port

FACTS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_uweight")
POOL = "app_backend"
VERSIONS = {"app-blue": "1", "app-green": "2"}
OUT = "disabled"
POOLS = """\

# who serves: 127.0.0.1:{blue} is blue
backend app_backend
    {more}
    server app-blue 127.0.0.1:{blue} check inter 200ms            # blue
    server app-green 127.0.0.1:{green} check inter 200ms disabled

backend app_backend2
    server app-blue 127.0.0.1:{green} check inter 200ms weight 7
    server app-green 127.0.0.1:{blue} disabled
"""
STATED = CONF.replace(STATE_FILE[0], STATE_FILE[1].replace("servers.state", "run/servers.state")).replace(*LOAD_STATE)


@dataclass(frozen=True)
class Kind:
    """How HAProxy is set up, and how the command finds it."""

    state_file: bool = False
    config: bool = True
    master: bool = True
    mode: str = ""  # of a switch
    more: str = ""  # another line of the pool


@dataclass
class HaPlace(HaproxyBench):
    """A bench whose two servers are both alive, beside a pool whose name begins alike with servers of the same names."""

    kind: Kind = Kind()
    silent: bool = False  # the change was given up: a state file that says less will do, since the config counts then
    texts: dict[str, bytes] = field(default_factory=dict)  # the config by the server that it sends all traffic to

    @property
    def state_file(self) -> Path:
        """In a folder of its own, as the usual /var/lib/haproxy is."""
        return self.folder / "run" / "servers.state"

    def build(self) -> None:
        blue, green = self.instance("1"), self.instance("2")
        self.state_file.parent.mkdir()
        self.write(blue, STATED if self.kind.state_file else CONF, POOLS, green, more=self.kind.more)
        self.start(master=self.kind.master)
        if self.kind.state_file:
            self.save_state()
        self.warm()

    def warm(self) -> None:
        """A switch there and back, so that every run begins with what earlier ones leave."""
        self.texts["app-blue"] = self.conf.read_bytes()
        for name in ("app-green", "app-blue"):
            result = self.run("switch", POOL, name)
            assert result.code == 0, result
            before = self.texts.setdefault(name, self.conf.read_bytes())
            assert self.conf.read_bytes() == before
            self.agree()
        self.fresh()

    @cached_property
    def third(self) -> str:
        """The address of an instance that the pool does not know."""
        return f"127.0.0.1:{self.instance('3')}"

    def argv(self, *words: str) -> list[str]:
        if self.kind.config or words[0] in ("history",):
            return super().argv(*words)
        return super().argv(*words, "--haproxy-socket", str(self.admin))

    def switch(self, *targets: str) -> tuple[str, ...]:
        """The words of a switch of the pool."""
        return ("switch", POOL, *targets, *(("--mode", self.kind.mode) if self.kind.mode else ()))

    def files(self) -> dict[str, bytes]:
        """The state file counts by what `agree` compares: its other columns tell the time."""
        return {name: data for name, data in super().files().items() if not name.endswith(self.state_file.name)}

    def fresh(self) -> None:
        """No history and no backups; what was told to HAProxy stays known."""
        for path in self.state.glob("*"):
            if path.name != "haproxy":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    # what is so

    def in_file(self) -> dict[str, str]:
        """Each server line of the pool: its address, or that it is disabled."""
        text = self.conf.read_text().partition(f"\nbackend {POOL}\n")[2].partition("\nbackend")[0]
        found = re.findall(r"^ +server (\S+) (\S+)(.*)", text, re.MULTILINE)
        return {name: OUT if re.search(r"\bdisabled\b", rest) else address for name, address, rest in found}

    def running_now(self) -> dict[str, str]:
        """The same of what runs."""
        names = [name for backend, name in self.servers if backend == POOL]
        ready = {name for name in names if self.state_of(POOL, name) == "ready"}
        return {name: self.address_of(POOL, name) if name in ready else OUT for name in names}

    def live(self) -> list[str]:
        return [name for name, what in self.running_now().items() if what != OUT]

    def only(self) -> str:
        """The server that all traffic goes to."""
        (name,) = self.live()
        return name

    def agree(self) -> None:
        """File, what runs, and the state file say the same."""
        if self.kind.config:
            assert self.in_file() == self.running_now(), (self.in_file(), self.running_now())
        if self.kind.state_file:
            saved, now = _facts(rows(self.state_file.read_text())), _facts(self.servers.values())
            assert saved <= now if self.silent else saved == now, saved ^ now


def _facts(found: Iterable[dict[str, str]]) -> set[tuple[object, ...]]:
    """What must be the same in both; out is out, however."""
    return {(*(row[column] for column in FACTS), int(row["srv_admin_state"]) & (MAINT | DRAIN) == 0) for row in found}


def clean(made: HaPlace) -> list[str]:
    """Nothing is left of the crash; file, HAProxy, state file and history agree. Returns the servers that serve."""
    assert journals(made) == []
    assert strays(made.folder) == []
    assert made.accepts()
    made.agree()
    live = made.live()
    last = [e for e in history(made) if e.pool == POOL][-1:]
    assert [[s.name for s in e.after if s.live] for e in last] in ([], [live])
    return live


def settled(made: HaPlace) -> str:
    """The same where one server serves: it does."""
    (name,) = clean(made)
    assert {made.version() for _ in range(4)} == {VERSIONS[name]}
    return name


def other(name: str) -> str:
    return next(n for n in VERSIONS if n != name)


@contextmanager
def haproxy_place(folder: Path, kind: Kind) -> Iterator[HaPlace]:
    """A place that is cleared away afterwards."""
    folder.mkdir()
    made = HaPlace(folder, kind=kind, port=free_port())
    try:
        made.build()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def assert_struck(made: HaPlace, result: Run) -> None:
    """It was killed. Where a state file is written it may have ended before the point instead: such a file holds times,
    and is not written when they happen to be those that it has."""
    assert result.code == KILLED or (made.kind.state_file and result.code == 0), result


def none_starts(made: HaPlace) -> bool:
    """No HAProxy is starting any more, as the one that a killed run had begun to put in the place of the old one."""
    chief = made.in_pidfile()
    return not made.processes or (chief is not None and {chief.pid} == set(net.listeners(made.endpoint)) == made.workers_now)
