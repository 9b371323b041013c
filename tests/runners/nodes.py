"""Docker engines that stand for machines: each in a network of its own, and all reach each other.

They are small: their one image is busybox with a web server, which answers with its version. `nodes` makes them; at its end
all is gone. What a killed run leaves the next engine clears away, since it lies in its folder and bears its mark.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from proxyswitch.model import ProcessId
from proxyswitch.polling import until
from proxyswitch.system import proc, run, signals
from tests.runners import engine
from tests.runners.docker import Docker
from tests.runners.store import ROOT

NODE = "PROXYSWITCH_TEST_NODE"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PLACE = """
set -e
mount -t tmpfs tmpfs /run
[ ! -d /etc/docker ] || mount -t tmpfs tmpfs /etc/docker
exec sleep 3600
"""
CMD = 'CMD ["/busybox","httpd","-f","-p","8000","-h","/www"]'
CHECK = 'HEALTHCHECK --interval=100ms CMD ["/busybox","wget","-q","-O","/dev/null","http://127.0.0.1:8000/"]'


@dataclass
class Node:
    """One engine. Its network lives as long as `place`, a process that does nothing."""

    name: str
    address: str
    place: ProcessId = field(default_factory=lambda: ProcessId(0, 0))
    dockerd: ProcessId = field(default_factory=lambda: ProcessId(0, 0))

    @property
    def folder(self) -> Path:
        return engine.FOLDER / self.name

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def run(self, *args: str, stdin: bytes | None = None) -> str:
        argv, env = ["docker", "--host", self.host, *args], {**os.environ, **engine.ENV}
        done = subprocess.run(argv, env=env, input=stdin, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, f"{args}: {done.stderr.decode()}"
        return done.stdout.decode().rstrip("\n")

    def image(self, tag: str, version: str) -> None:
        """An image that answers with that version."""
        data = io.BytesIO()
        page = json.dumps({"version": version}).encode()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for name, text, mode in (("busybox", _busybox(), 0o755), ("www/index.html", page, 0o644)):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text), mode
                tar.addfile(entry, io.BytesIO(text))
        self.run("import", "-c", CMD, "-c", CHECK, "-", tag, stdin=data.getvalue())

    # its life

    def settle(self, first: Node | None = None) -> None:
        """Its network. The bridge is in the first one's: on the machine's own, packet filters may be in the way."""
        self.folder.mkdir()
        env = {"PATH": PATH, engine.MARK: str(engine.FOLDER), NODE: self.name}
        argv = ("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", PLACE)
        self.place = run.spawn(run.Detached(argv, env, str(self.folder / "log"), cwd="/"))
        assert until(lambda: proc.title(self.place.pid).startswith("sleep") or None, engine.LIMIT)
        self.ip("link set lo up")
        if first:
            _ip(f"link add {self.name} netns {first.place.pid} type veth peer name eth0 netns {self.place.pid}")
            first.ip(f"link set {self.name} master br0 up")
        else:
            _ip(f"link add {engine.BRIDGE}-n type veth peer name out netns {self.place.pid}")
            _ip(f"address add {engine.SUBNET}.1.1/24 dev {engine.BRIDGE}-n")
            _ip(f"link set {engine.BRIDGE}-n up")
            self.ip("link add br0 type bridge")
            self.ip("link set out master br0 up")
        own = "eth0" if first else "br0"
        self.ip(f"address add {self.address}/24 dev {own}")
        self.ip(f"link set {own} up")

    def ip(self, words: str) -> None:
        """The program `ip`, in its network."""
        _run(*self._enter, "ip", *words.split())

    @property
    def _enter(self) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.place.pid), "--mount", "--net", "--")

    def start(self) -> None:
        """Start dockerd, and wait until it answers."""
        folder, argv = self.folder, [*self._enter, "dockerd", "--config-file", str(engine.FOLDER / "daemon.json")]
        argv += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-p", f"{folder}/pid", "-H", self.host]
        argv += [
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--cgroup-parent",
            f"/{engine.CGROUP}/{self.name}",
        ]
        env = {"PATH": PATH, engine.MARK: str(engine.FOLDER), NODE: self.name, "TMPDIR": str(folder)}
        self.dockerd = run.spawn(run.Detached(tuple(argv), env, str(folder / "log"), cwd="/"))
        ready = until(lambda: self._answers() or not proc.alive(self.dockerd) or None, engine.LIMIT)
        assert ready, (folder / "log").read_text()[-3000:]
        assert proc.alive(self.dockerd), (folder / "log").read_text()[-3000:]

    def _answers(self) -> bool:
        return engine.docker("--host", self.host, "version").returncode == 0

    def kill(self) -> None:
        """As a crash of dockerd, with its containerd; what they have started lives on."""
        for pidfile in (self.folder / "pid", self.folder / "exec/containerd/containerd.pid"):
            process = proc.identify(int(pidfile.read_text()))
            if process:
                signals.send(process, signals.KILL)
                assert until(lambda p=process: not proc.alive(p) or None, engine.LIMIT)  # type: ignore[misc]
            pidfile.unlink()  # or the next one takes a zombie for a living one

    def end(self) -> None:
        """End all of it, and remove it."""
        inside = f"/{engine.CGROUP}/{self.name}/"

        def ended() -> bool | None:
            left = [p for p in proc.with_environment(NODE, self.name) if p != self.place]
            left += [p for pid in proc.pids() if inside in proc.cgroup(pid) and (p := proc.identify(pid))]
            for process in left:
                signals.send(process, signals.KILL)
            return not left or None

        assert until(ended, engine.LIMIT)
        if self.place.pid:
            signals.send(self.place, signals.KILL)
            assert until(lambda: not proc.alive(self.place) or None, engine.LIMIT)
        shutil.rmtree(self.folder, ignore_errors=True)


def _unlink() -> None:
    """The kernel takes a network away some time after its last process: the next one needs the name at once."""
    link, env = f"{engine.BRIDGE}-n", {**os.environ, "PATH": PATH}

    def gone() -> bool | None:
        subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False, timeout=60, env=env)
        there = subprocess.run(["ip", "link", "show", link], capture_output=True, check=False, timeout=60, env=env)
        return True if there.returncode else None

    assert until(gone, engine.LIMIT)


def _ip(words: str) -> None:
    _run("ip", *words.split())


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "PATH": PATH})
    assert done.returncode == 0, f"{argv}: {done.stderr}"


def _busybox() -> bytes:
    with tarfile.open(ROOT) as tar:
        found = tar.extractfile("./usr/bin/busybox")
        assert found
        return found.read()


@contextmanager
def nodes(docker: Docker, *names: str) -> Iterator[list[Node]]:  # they lie in its folder
    """Engines of these names; they are not in a swarm."""
    made = [Node(name, f"{engine.SUBNET}.1.{10 + number}") for number, name in enumerate(names)]
    try:
        for node in made:
            node.settle(None if node is made[0] else made[0])
            node.start()
        yield made
    finally:
        for node in made:
            node.end()
        _unlink()
