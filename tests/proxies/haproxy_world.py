"""A private HAProxy in one folder, for tests of how it is found, tested and reloaded. All that it starts is ended by pid."""

from __future__ import annotations

import contextlib
import os
import pickle
import pwd
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from proxyswitch import polling
from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.proxies import haproxy_process, haproxy_socket, haproxy_trigger
from proxyswitch.proxies.haproxy_process import Instance
from proxyswitch.system import net, proc, signals
from tests.ports import free_port

assert haproxy_trigger  # loaded here, since an ordinary user may not read this copy of the code: see `as_user`

LIMIT = 30.0
CONF = """\
global
    stats socket {folder}/admin.sock mode 600 level admin
    {extra}
defaults
    mode http
    retries 0
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend web
    bind 127.0.0.1:{port}
    default_backend app
backend app
    server blue 127.0.0.1:1
"""


def eventually(look: Callable[[], object]) -> bool:
    """Wait until `look` is true; False when that takes far too long."""
    return bool(polling.until(lambda: look() or None, LIMIT, first=0.002, longest=0.05))


class World:
    """One folder with configs and the HAProxys that were started in it."""

    def __init__(self, folder: Path, binary: str, user: str = "") -> None:
        self.folder = folder
        self.binary = binary
        self.user = user
        self.port = free_port()
        self.children: list[subprocess.Popen[bytes]] = []

    @property
    def conf(self) -> Path:
        return self.folder / "haproxy.cfg"

    @property
    def admin(self) -> Endpoint:
        return Endpoint(path=str(self.folder / "admin.sock"))

    @property
    def master_socket(self) -> str:
        return str(self.folder / "master.sock")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def write(self, name: str = "haproxy.cfg", *, extra: str = "", more: str = "") -> Path:
        """A config file with one frontend; `extra` is a line in global, `more` stands at the end."""
        path = self.folder / name
        path.write_text(CONF.format(folder=self.folder, port=self.port, extra=extra) + more)
        return path

    def spawn(self, *words: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """Start HAProxy and do not wait for anything."""
        entry = pwd.getpwnam(self.user) if self.user else None
        with open(self.folder / "log", "ab") as log:
            child: subprocess.Popen[bytes] = subprocess.Popen(
                [self.binary, *words],
                cwd=cwd or self.folder,
                env={**os.environ, **(env or {})},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                user=entry.pw_uid if entry else None,
                group=entry.pw_gid if entry else None,
                extra_groups=[] if entry else None,
            )
        self.children.append(child)
        return child

    def start(self, *words: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Instance:
        """Start HAProxy, wait until it serves, and find it as `instances` does."""
        before = {i.process for i in self.instances()}

        def there() -> bool:
            return bool(self.answering() and {i.process for i in self.instances()} - before)

        for _ in range(3):
            child = self.spawn(*words, env=env, cwd=cwd)
            if "-D" in words:
                child.wait(LIMIT)
            assert eventually(partial(_either, there, child)), self.log
            if there() or "Address already in use" not in self.log:
                break
            self.move()
        assert there(), self.log
        (found,) = [i for i in self.instances() if i.process not in before]
        if found.master:
            assert eventually(lambda: haproxy_process.workers(found).current), self.log
        return found

    def move(self) -> None:
        """Another port: between the kernel's answer and HAProxy's bind somebody else has taken this one."""
        old, self.port = self.port, free_port()
        for path in self.folder.rglob("*.cfg"):
            path.write_text(path.read_text().replace(f"127.0.0.1:{old}", f"127.0.0.1:{self.port}"))

    def master(self, *words: str, env: dict[str, str] | None = None) -> Instance:
        """HAProxy with a master and its socket, on the usual config."""
        instance = self.start("-W", "-S", f"{self.master_socket},level,admin", "-f", str(self.conf), *words, env=env)
        assert eventually(lambda: self.master_answers(instance)), self.log
        return instance

    def master_answers(self, instance: Instance) -> bool:
        with contextlib.suppress(haproxy_socket.SocketError):
            told = haproxy_socket.Master(Endpoint(path=self.master_socket)).processes()
            return told.master.pid == instance.process.pid and bool(told.workers)
        return False

    def instances(self) -> list[Instance]:
        """The instances of this folder: other tests have theirs."""
        return [i for i in haproxy_process.instances() if self.owns(i)]

    def owns(self, instance: Instance) -> bool:
        return any(name.startswith(f"{self.folder}/") for name in instance.arguments.files)

    def answering(self) -> int:
        """The pid that answers on the admin socket; 0 while none does."""
        with contextlib.suppress(haproxy_socket.SocketError):
            return int(haproxy_socket.Runtime(self.admin).info()["Pid"])
        return 0

    def held(self) -> socket.socket:
        """A connection that keeps an old process alive."""
        sock = net.connect(Endpoint("127.0.0.1", self.port), LIMIT)
        sock.sendall(b"GET / HTTP/1.1\r\n")
        return sock

    def stop(self) -> None:
        """End everything of this folder."""
        while found := [
            p for i in self.instances() for w in [haproxy_process.workers(i)] for p in (i.process, *w.current, *w.old)
        ]:
            for process in found:
                signals.send(process, signals.KILL)
            assert eventually(lambda: not any(map(proc.alive, found)))
        for child in self.children:
            child.kill()
            child.wait()


def _either(there: Callable[[], bool], child: subprocess.Popen[bytes]) -> bool:
    """It serves, or it has given up."""
    return there() or bool(child.poll())


@contextlib.contextmanager
def world(folder: Path, binary: str, user: str = "") -> Iterator[World]:
    """A world that is cleared away afterwards."""
    made = World(folder, binary, user)
    try:
        yield made
    finally:
        made.stop()


def as_user(user: str, act: Callable[[], Any]) -> Any:
    """What `act` returns or raises when that user does it: in a child, since there is no way back to root."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        answer: tuple[bool, Any] = (False, "it ended without an answer")
        try:
            entry = pwd.getpwnam(user)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
            answer = (True, act())
        except BaseException as error:  # noqa: BLE001  # everything is the parent's to see
            answer = (False, f"{type(error).__name__}: {error}")
        finally:
            os.write(writing, pickle.dumps(answer))
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    good, answer_ = pickle.loads(data)
    assert good, answer_
    return answer_


def ended(process: ProcessId) -> bool:
    """True as soon as it has ended."""
    return eventually(lambda: not proc.alive(process))
