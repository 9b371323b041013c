"""A private HAProxy for tests against the real thing, beside the instances and the command of `Bench`.

It is asked, reloaded and restarted here in the test's own way, so that what proxyswitch says can be compared with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.proxies.haproxy_process import heeds_signals
from proxyswitch.system import net, proc, signals
from tests.e2e.support import LIMIT, REPO, Bench, eventually
from tests.ports import free_port

HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "haproxy"
MARK = "HAPROXY_BENCH"  # in the environment of every process of a bench

CONF = """\
global
    stats socket {folder}/admin.sock mode 600 level admin
    maxconn 500

defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 1h

frontend www
    bind 127.0.0.1:{port}
    default_backend app_backend
"""

POOLS = """\

# who serves: 127.0.0.1:{blue} is blue
backend app_backend
    server app-blue 127.0.0.1:{blue} check inter 200ms        # blue
    server app-green 127.0.0.1:{green} check inter 200ms disabled
"""

STATE_FILE = ("global\n", "global\n    server-state-file {folder}/servers.state\n")
LOAD_STATE = ("defaults\n", "defaults\n    load-server-state-from-file global\n")
WITH_STATE = CONF.replace(*STATE_FILE).replace(*LOAD_STATE)
"""The same config, where the state of the servers outlives a reload in `servers.state`."""

# columns of `show servers state` (HAProxy management guide, 9.3) that only a command or a config changes: the others tell
# the time, or what the last check has seen
LASTING = (
    "be_name",
    "srv_name",
    "srv_addr",
    "srv_port",
    "srv_fqdn",
    "srv_admin_state",
    "srv_uweight",
    "srv_iweight",
    "srv_check_port",
    "srv_check_addr",
    "srv_agent_addr",
    "srv_agent_port",
)
MAINT, DRAIN = 0x01 | 0x02 | 0x20, 0x08 | 0x10


@dataclass
class HaproxyBench(Bench):
    """One folder with an HAProxy, its admin and master sockets, its state and its instances."""

    blue: int = 0
    green: int = 0
    more: list[str] = field(default_factory=list)
    command_line: list[str] = field(default_factory=list)
    said: str = ""
    chief: ProcessId | None = None

    # places

    @property
    def conf(self) -> Path:
        return self.folder / "haproxy.cfg"

    @property
    def admin(self) -> Path:
        return self.folder / "admin.sock"

    @property
    def master_socket(self) -> Path:
        return self.folder / "master.sock"

    @property
    def state_file(self) -> Path:
        return self.folder / "servers.state"

    @property
    def pidfile(self) -> Path:
        return self.folder / "haproxy.pid"

    @property
    def log(self) -> str:
        """What HAProxy said when it was started last; a daemon says nothing afterwards."""
        return self.said

    # its config

    def write(self, blue: int, conf: str = CONF, pools: str = POOLS, green: int = 0, **words: object) -> None:
        """Write haproxy.cfg: `conf`, then `pools`. {blue} {green} {port} {folder} and `words` are filled in.

        Other braces stay as they are. Without `green` that server gets a port where nobody listens.
        """
        self.blue, self.green = blue, green or free_port()
        self.conf.write_text(self.filled(conf + pools, **words))
        self.own()

    def write_more(self, name: str, text: str, **words: object) -> Path:
        """Another config file of this bench, which `start` hands over with a further `-f`."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.filled(text, **words))
        self.more.append(name)
        self.own()
        return path

    def filled(self, text: str, **words: object) -> str:
        known = {"blue": self.blue, "green": self.green, "port": self.port, "folder": self.folder, **words}
        return re.sub(r"\{(\w+)\}", lambda m: str(known.get(m[1], m[0])), text)

    @property
    def sources(self) -> list[str]:
        """The `-f` arguments."""
        return [word for path in (self.conf, *(self.folder / name for name in self.more)) for word in ("-f", str(path))]

    def accepts(self) -> bool:
        """True when what is on disk passes `haproxy -c`."""
        kind = ["-W"] if self.has_master else []
        return self.attempt([HAPROXY, "-c", *kind, *self.sources]).returncode == 0

    # its life

    def start(self, *arguments: str, master: bool = True) -> None:
        """Start HAProxy, as master and worker or as one process, and wait until it serves."""
        kind = ["-W", "-S", str(self.master_socket)] if master else []
        self.command_line = [HAPROXY, "-D", *kind, "-p", str(self.pidfile), *arguments, *self.sources]
        for _ in range(3):
            if self.launched() and not self.shared():
                break
            self.end()
            self.move()
        self.await_workers_other_than(set())

    def launched(self, *arguments: str) -> bool:
        """Start it; False when the port is taken."""
        self.own()
        done = self.attempt([*self.command_line, *arguments])
        self.said = done.stderr
        taken = "Address already in use" in done.stderr
        assert done.returncode == 0 or taken, done.stderr
        if not taken:
            assert eventually(self.in_pidfile), self.said
            self.chief = self.in_pidfile()
        return not taken

    def shared(self) -> bool:
        """True when another program listens on our port too, as the kernel allows among HAProxies of one user."""
        assert eventually(lambda: net.is_listening(self.endpoint)), self.said
        return bool(set(net.listeners(self.endpoint)) - {p.pid for p in self.processes})

    def move(self) -> None:
        old, self.port = self.port, free_port()
        for path in (self.conf, *(self.folder / name for name in self.more)):
            path.write_text(re.sub(rf"\b{old}\b", str(self.port), path.read_text()))

    def reload(self) -> None:
        """As systemd does: SIGUSR2 to the master; without one, a new process that asks the old to leave. Awaited."""
        if self.has_master:  # in the midst of a reload it would lose the signal
            assert eventually(lambda: heeds_signals(self.master)), self.said
        before = self.workers_now
        if self.has_master:
            signals.send(self.master, signal.SIGUSR2)
        else:
            assert self.launched("-sf", *(str(pid) for pid in before))
        self.await_workers_other_than(before)

    def restart(self) -> None:
        """Stop and start it, on the same port, with the same arguments."""
        self.end()
        assert eventually(self.launched), self.said
        self.await_workers_other_than(set())

    def await_workers_other_than(self, old: set[int]) -> None:
        """Wait until only new workers listen, and one of them answers at the admin socket."""

        def new() -> bool:
            now = set(net.listeners(self.endpoint)) - ({self.master.pid} if self.has_master else set())
            return bool(now) and not now & old and self.answering() in now and self.known_to_master(now)

        assert eventually(new), self.said

    def known_to_master(self, workers: set[int]) -> bool:
        """True when the master answers, and lists them; its socket refuses for a moment after a start and a reload."""
        try:
            listed = self.ask_master("show proc").split() if self.has_master else [str(pid) for pid in workers]
        except OSError:
            return False
        return {str(pid) for pid in workers} <= set(listed)

    def answering(self) -> int:
        """The pid of the worker that answers at the admin socket; 0 while none does."""
        try:
            found = re.search(r"^Pid: (\d+)$", self.ask("show info"), re.MULTILINE)
        except OSError:
            return 0
        return int(found[1]) if found else 0

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    @property
    def has_master(self) -> bool:
        return "-W" in self.command_line

    @property
    def processes(self) -> list[ProcessId]:
        """Every process of this bench's HAProxy: masters, workers, and old ones that still finish their requests."""
        found = proc.with_environment(MARK, str(self.folder))
        if self.chief and proc.alive(self.chief) and self.chief not in found:
            found.append(self.chief)  # while a process executes itself anew, its environment cannot be read
        return [p for p in found if os.path.basename(proc.link(p.pid, "exe").removesuffix(" (deleted)")) == "haproxy"]

    @property
    def master(self) -> ProcessId:
        """The master; in plain mode the process itself. A master that executes itself anew keeps its pid."""
        found = self.chief if self.has_master else self.in_pidfile()
        assert found, "HAProxy does not run"
        assert proc.alive(found), "HAProxy does not run"
        return found

    def in_pidfile(self) -> ProcessId | None:
        """The process that the pid file names; HAProxy removes the file and writes it anew while it reloads."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return proc.identify(int(self.pidfile.read_text()))
        return None

    @property
    def workers_now(self) -> set[int]:
        """The pids of all workers, the old ones too; in plain mode of all processes."""
        return {p.pid for p in self.processes if not self.has_master or p != self.master}

    def end(self) -> None:
        """End HAProxy, all its generations."""
        if not eventually(lambda: not self.signalled(signals.TERM)):
            assert eventually(lambda: not self.signalled(signals.KILL))
        self.pidfile.unlink(missing_ok=True)

    def signalled(self, signum: int) -> list[ProcessId]:
        """Those that the signal was sent to: all that still run. One that a test has frozen wakes up."""
        family = self.processes
        for process in family:
            signals.send(process, signum)
            signals.send(process, signal.SIGCONT)
        return family

    def stop(self) -> None:
        """End all commands and instances, and then HAProxy."""
        super().stop()
        self.end()

    def as_user(self, argv: list[str]) -> list[str]:
        """As the bench's user, with the mark by which its processes are found again."""
        return super().as_user(["/usr/bin/env", f"{MARK}={self.folder}", *argv])

    # what it says itself

    def ask(self, command: str) -> str:
        """The answer of the admin socket to one command. Raises OSError."""
        return self._ask(self.admin, command)

    def ask_master(self, command: str) -> str:
        """The answer of the master socket. Raises OSError."""
        return self._ask(self.master_socket, command)

    def _ask(self, path: Path, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(LIMIT)
            sock.connect(str(path))
            sock.sendall(command.encode() + b"\n")
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode()

    def tell(self, command: str) -> None:
        """A command that answers nothing where it succeeds, as `set server … state` does."""
        answer = self.ask(command)
        assert not answer.strip(), answer

    @property
    def servers(self) -> dict[tuple[str, str], dict[str, str]]:
        """What `show servers state` says of each server, by backend and name: columns by their names."""
        return {(row["be_name"], row["srv_name"]): row for row in rows(self.ask("show servers state"))}

    def state_of(self, backend: str, server: str) -> str:
        """`ready`, `drain` or `maint`, as an admin has set it, or the config; checks do not count."""
        bits = int(self.servers[backend, server]["srv_admin_state"])
        return "maint" if bits & MAINT else "drain" if bits & DRAIN else "ready"

    def weight_of(self, backend: str, server: str) -> int:
        return int(self.servers[backend, server]["srv_uweight"])

    def address_of(self, backend: str, server: str) -> str:
        """`host:port`; an IPv6 host in brackets. Unix sockets are not shown by HAProxy 2.6."""
        row = self.servers[backend, server]
        return str(Endpoint(row["srv_addr"], int(row["srv_port"])))

    def lasting(self) -> set[tuple[str, ...]]:
        """What commands and the config have made of all servers, without what checks and the clock change."""
        return {tuple(row[column] for column in LASTING) for row in self.servers.values()}

    def save_state(self) -> None:
        """Write the state file, as an init script does before a reload."""
        self.state_file.write_text(self.ask("show servers state").rstrip("\n") + "\n")
        self.own()

    # what must not change

    def files(self) -> dict[str, bytes]:
        """Every file of the config, and the state file without its times; HAProxy's and our own working files apart."""
        found = {name: data for name, data in super().files().items() if name != self.pidfile.name}
        if self.state_file.exists():
            saved = rows(self.state_file.read_text())
            found[self.state_file.name] = repr([[row[column] for column in LASTING] for row in saved]).encode()
        return found

    @contextmanager
    def nothing_done(self) -> Iterator[None]:
        """What runs inside must leave config, journal, all servers and the workers as they are."""
        servers, workers = self.lasting(), self.workers_now
        with self.taken_back():
            yield
        assert self.lasting() == servers
        assert self.workers_now == workers

    # the command

    def argv(self, *words: str) -> list[str]:
        """The command with `--haproxy-conf` where the subcommand takes it, and no other place is named."""
        argv, ours = super().argv(*words), ["--nginx-conf", str(self.conf)]
        if argv[-2:] != ours:
            return argv
        named = {word.partition("=")[0] for word in words} & {"--haproxy-conf", "--haproxy-socket"}
        return argv[:-2] + ([] if named else ["--haproxy-conf", str(self.conf)])


def rows(text: str) -> list[dict[str, str]]:
    """The rows of `show servers state` or of a state file: a version, the names of the columns, a row a server."""
    version, header, *lines = text.strip().splitlines()
    assert version == "1", text
    names = header.removeprefix("# ").split()
    return [dict(zip(names, line.split(), strict=True)) for line in lines]


@contextmanager
def haproxy_bench(
    folder: Path, user: str = "", python: str = sys.executable, path: str = str(REPO)
) -> Iterator[HaproxyBench]:
    """A bench that is cleared away afterwards."""
    made = HaproxyBench(folder, user, python, path)
    made.own()
    try:
        yield made
    finally:
        made.stop()
