"""A private nginx, small app instances, and the `proxyswitch` command, for tests against the real thing.

Everything lies in one folder, listens on loopback ports that the kernel gave, runs as the present user (or as another,
for tests that are root), and is ended by pid.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyswitch import polling
from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.proxies import nginx_master, nginx_reload
from proxyswitch.proxies.nginx import CLOCK_SLACK
from proxyswitch.system import clock, net, proc, signals
from tests.ports import free_port

REPO = Path(__file__).resolve().parents[2]
WORKING = {"error.log", "test.log", "nginx.pid", "access.log"}
APP = REPO / "fixtures" / "demo" / "app.py"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "nginx"
LIMIT = 30.0

CONF = """\
{user}worker_processes 2;
pid nginx.pid;
error_log error.log notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    include pools.conf;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app_backend;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_read_timeout 60s;
        }}
    }}
}}
"""

POOLS = """\
# who serves: 127.0.0.1:{blue} is blue
upstream app_backend {{
    server 127.0.0.1:{blue};        # blue
}}
"""


@dataclass
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last JSON object of the answer."""
        return json.loads(self.out.strip().splitlines()[-1])


@dataclass
class Bench:
    """One folder with an nginx, its state and its instances."""

    folder: Path
    user: str = ""
    python: str = sys.executable
    path: str = str(REPO)
    port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    commands: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def conf(self) -> Path:
        return self.folder / "nginx.conf"

    @property
    def pools(self) -> Path:
        return self.folder / "pools.conf"

    @property
    def log(self) -> str:
        return (self.folder / "error.log").read_text()

    # nginx

    def write(self, blue: int, conf: str = CONF, pools: str = POOLS) -> None:
        """Write the config; the worker user is this bench's user, so that the folder can stay private."""
        name = "" if self.user or os.geteuid() else "user root;\n"
        # absolute, so that a test of this config without `-p` makes nothing in nginx's own folders
        text = re.sub(r"((?:pid|error_log|\w+_temp_path) )(\w)", lambda m: f"{m[1]}{self.folder}/{m[2]}", conf)
        self.conf.write_text(text.format(user=name, port=self.port))
        self.pools.write_text(pools.format(blue=blue))
        self.own()

    def own(self) -> None:
        """Give everything in the folder to the bench's user."""
        if self.user:
            for path in [self.folder, *self.folder.rglob("*")]:
                shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)

    def start(self, *arguments: str) -> None:
        """Start nginx and wait until it accepts connections."""
        for _ in range(3):
            done = self.attempt([*self.starting, *arguments])
            if "Address already in use" not in done.stderr:
                break
            self.move()
        assert done.returncode == 0, done.stderr
        assert polling.until(lambda: True if net.is_listening(Endpoint("127.0.0.1", self.port)) else None, LIMIT), self.log
        assert eventually(self.has_workers)

    @property
    def starting(self) -> list[str]:
        """The command that starts nginx."""
        return [NGINX, "-p", str(self.folder), "-c", str(self.conf), "-e", str(self.folder / "error.log")]

    def has_workers(self) -> bool:
        """A master that has just become a daemon writes its pid file before it takes its title, and then starts workers."""
        count = re.search(r"worker_processes (\d+)", self.conf.read_text())
        pidfile = self.folder / "nginx.pid"
        text = pidfile.read_text() if pidfile.exists() else ""
        found = nginx_master.master_at(int(text)) if text.strip() else None
        return bool(found and len(nginx_reload.workers(found.process).active) == int(count[1] if count else 1))

    def loaded(self) -> None:
        """Wait until an edit counts as made after the load: times of processes are counted in 0.01 s, with some slack."""
        assert eventually(lambda: clock.wall() > max(map(proc.started, self.workers.active)) + 2 * CLOCK_SLACK)

    def move(self) -> None:
        """Another port: between the kernel's answer and nginx's bind somebody else has taken this one."""
        old, self.port = self.port, free_port()
        self.conf.write_text(self.conf.read_text().replace(f":{old};", f":{self.port};"))

    def attempt(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as this bench's user, and see how it ends."""
        return subprocess.run(self.as_user(argv), check=False, capture_output=True, text=True, cwd=self.folder, timeout=60)

    def checked(self, argv: list[str]) -> None:
        """The same, and it must end well."""
        done = self.attempt(argv)
        assert done.returncode == 0, done.stderr

    def as_user(self, argv: list[str]) -> list[str]:
        return ["runuser", "-u", self.user, "--", *argv] if self.user else argv

    @property
    def master(self) -> ProcessId:
        found = nginx_master.master_at(int((self.folder / "nginx.pid").read_text()))
        assert found, "nginx does not run"
        return found.process

    @property
    def workers(self) -> nginx_reload.Workers:
        return nginx_reload.workers(self.master)

    def nginx_accepts(self) -> bool:
        """True when the config on disk passes `nginx -t`."""
        argv = [NGINX, "-t", "-p", str(self.folder), "-c", str(self.conf), "-e", str(self.folder / "test.log")]
        return subprocess.run(self.as_user(argv), capture_output=True, check=False, timeout=60).returncode == 0

    def stop(self) -> None:
        """End all commands, nginx with its workers, and all instances."""
        for command in self.commands:
            with command:
                command.kill()
        self.end()
        for child in self.started:
            child.kill()
            child.wait()

    def end(self) -> None:
        """End nginx with its workers."""
        pidfile = self.folder / "nginx.pid"
        if pidfile.exists():
            found = nginx_master.master_at(int(pidfile.read_text() or 0))
            if found:
                family = [found.process, *(p for p in map(proc.identify, proc.children(found.process.pid)) if p)]
                signals.send(found.process, signals.TERM)
                if not polling.until(lambda: None if any(map(proc.alive, family)) else True, LIMIT):
                    for process in family:
                        signals.send(process, signals.KILL)

    # what must not change

    def files(self) -> dict[str, bytes]:
        """Every file and link of the config with its bytes, dotfiles too; nginx's and our own working files apart."""
        found = {}
        for path in self.folder.rglob("*"):
            name = str(path.relative_to(self.folder))
            if name.startswith("state"):
                continue
            if path.is_symlink():
                found[name] = os.readlink(path).encode()
            elif path.is_file() and name not in WORKING:
                found[name] = path.read_bytes()
        return found

    @property
    def journals(self) -> list[Path]:
        """The journals of runs that are under way or were interrupted."""
        return list((self.state / "journal").glob("*"))

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        """What runs inside must leave config and journal as they are: nothing done, or all of it taken back."""
        files = self.files()
        yield
        assert self.files() == files
        assert self.journals == []

    @contextmanager
    def nothing_done(self) -> Iterator[None]:
        """The same, and nginx was not even reloaded."""
        workers = self.workers.active
        with self.taken_back():
            yield
        assert self.workers.active == workers

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The master sleeps: it takes no reload before the end of the block, however long a test looks at what waits."""
        master = self.master
        signals.send(master, signal.SIGSTOP)
        try:
            yield
        finally:
            signals.send(master, signal.SIGCONT)

    def settings(self, text: str) -> None:
        """Write a proxyswitch.toml, which every command of this bench finds."""
        (self.folder / "proxyswitch.toml").write_text(text)
        self.own()

    # instances

    def instance(self, version: str, **environment: str) -> int:
        """Start the sample app; returns its port."""
        port = free_port()
        env = {**os.environ, "PORT": str(port), "APP_VERSION": version, **environment}
        child = subprocess.Popen([sys.executable, str(APP)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.started.append(child)
        assert polling.until(lambda: True if net.is_listening(Endpoint("127.0.0.1", port)) else None, LIMIT)
        return port

    def version(self, path: str = "/") -> str:
        """Which version answers through nginx."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return str(answer.headers["X-Version"])

    # the command

    def run(self, *words: str, env: dict[str, str] | None = None, stdin: str | None = None) -> Run:
        """Run `proxyswitch` with this bench's config and state, as its user."""
        done = subprocess.run(
            self.as_user(self.argv(*words)),
            env=self.environment(env),
            cwd=self.folder,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=120,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def argv(self, *words: str) -> list[str]:
        """The command with `--nginx-conf` where the subcommand takes it."""
        plain = {"history", "schema", "demo", "health"}
        extra = (
            []
            if words[0].startswith("-") or words[0] in plain or "--nginx-conf" in words
            else ["--nginx-conf", str(self.conf)]
        )
        return [self.python, "-m", "proxyswitch", *words, *extra]

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "PROXYSWITCH_STATE": str(self.state), "PYTHONPATH": self.path, **(extra or {})}

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def spawn(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start `proxyswitch` and do not wait: the caller does."""
        child = subprocess.Popen(
            self.as_user(self.argv(*words)),
            env=self.environment(env),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.commands.append(child)
        return child


def eventually(look: Callable[[], object]) -> bool:
    """Wait until `look` is true; False when that takes far too long."""
    return bool(polling.until(lambda: look() or None, LIMIT, first=0.002, longest=0.05))


@contextmanager
def bench(folder: Path, user: str = "", python: str = sys.executable, path: str = str(REPO)) -> Iterator[Bench]:
    """A bench that is cleared away afterwards."""
    made = Bench(folder, user, python, path)
    if user:
        pwd.getpwnam(user)
        made.own()
    try:
        yield made
    finally:
        made.stop()
