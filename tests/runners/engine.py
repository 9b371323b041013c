"""One Docker engine for all tests that run at a time on this machine: the first that needs it starts it, the last ends it.

It has folders, a bridge and cgroups of its own, no iptables rules (published ports go through docker-proxy), and a mount
namespace, where nothing that it mounts or writes below /etc/docker and /run is seen by others. So the end is to kill its
processes and to remove what bears its name; after a killed run the next one does just that first.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from proxyswitch.model import ProcessId
from proxyswitch.polling import until
from proxyswitch.system import proc, run, signals
from tests.runners.store import STORE

FOLDER = Path(tempfile.gettempdir()) / "proxyswitch-docker"
USERS, CONFIG, LOG, DATA = FOLDER / "users", FOLDER / "client", FOLDER / "dockerd.log", FOLDER / "data"
BEFORE = FOLDER / "overlays"  # those that were there before
HOST = f"unix://{FOLDER}/docker.sock"
ENV = {"DOCKER_HOST": HOST, "DOCKER_CONFIG": str(CONFIG)}
MARK = "PROXYSWITCH_TEST_ENGINE"
NUMBER = zlib.crc32(bytes(FOLDER))  # two temporary folders, two engines
BRIDGE, CGROUP, SUBNET = f"psw-{NUMBER:08x}", f"proxyswitch-{NUMBER:08x}", f"10.{64 + NUMBER % 128}"
PLUGIN = STORE / "compose2/usr/libexec/docker/cli-plugins/docker-compose"
LIMIT = 60.0

START = f"""
set -e
mount -t tmpfs tmpfs /run
[ ! -d /etc/docker ] || mount -t tmpfs tmpfs /etc/docker
ip link add {BRIDGE} type bridge
ip address add {SUBNET}.0.1/24 dev {BRIDGE}
ip link set {BRIDGE} up
exec dockerd --config-file {FOLDER}/daemon.json --data-root {DATA} --exec-root {FOLDER}/exec -p {FOLDER}/pid -H {HOST} \
    --iptables=false --ip-forward=false --ip-masq=false --bridge {BRIDGE} \
    --default-address-pool base={SUBNET}.128.0/17,size=24 --cgroup-parent /{CGROUP}
"""


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Alone among all tests of this machine; the lock leaves no file."""
    handle = os.open(FOLDER.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def docker(*args: str, timeout: float = LIMIT, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Docker's client on this engine."""
    argv, env = ["docker", *args], {**os.environ, **ENV}
    return subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=timeout)


# who uses it


def _user(process: ProcessId) -> Path:
    return USERS / f"{process.pid}-{process.start}"


def _users() -> list[Path]:
    """The test processes that use the engine; those that have died are forgotten."""
    for path in USERS.glob("*"):
        pid, _, start = path.name.partition("-")
        if not proc.alive(ProcessId(int(pid), int(start))):
            path.unlink()
    return list(USERS.glob("*"))


@contextlib.contextmanager
def engine() -> Iterator[None]:
    """The engine runs as long as this lasts in any process."""
    me = proc.identify(os.getpid())
    assert me
    with locked():
        if not _users() or docker("version").returncode:
            clear()
            start()
        _user(me).touch()
    try:
        yield
    finally:
        with locked():
            _user(me).unlink(missing_ok=True)
            if not _users():
                clear()


# its life


def start() -> None:
    """Start dockerd; raises with its log when it does not answer."""
    for folder in (USERS, CONFIG / "cli-plugins"):
        folder.mkdir(parents=True)
    (FOLDER / "daemon.json").write_text("{}")
    BEFORE.write_text("\n".join(_overlays()))
    (CONFIG / "cli-plugins/docker-compose").symlink_to(PLUGIN)
    argv = ("unshare", "--mount", "--propagation", "private", "sh", "-c", START)
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    dockerd = run.spawn(run.Detached(argv, {"PATH": path, MARK: str(FOLDER)}, str(LOG), cwd="/"))
    answer = until(lambda: docker("version").returncode == 0 or not proc.alive(dockerd) or None, LIMIT)
    if not answer or not proc.alive(dockerd):
        text = LOG.read_text()
        clear()
        raise AssertionError(f"dockerd does not answer:\n{text[-3000:]}")


def _processes() -> list[ProcessId]:
    """dockerd, containerd, their helpers, and everything in their containers."""
    inside = [found for pid in proc.pids() if f"/{CGROUP}/" in _cgroups(pid) and (found := proc.identify(pid))]
    return proc.with_environment(MARK, str(FOLDER)) + inside


def _cgroups(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def clear() -> None:
    """End all that an engine left, and remove it."""

    def ended() -> bool | None:
        left = _processes()
        for process in left:
            signals.send(process, signals.KILL)
        return not left or None

    assert until(ended, LIMIT), f"processes that will not end: {_processes()}"
    _remove_networks()
    _remove_overlays()
    assert until(_remove_cgroups, LIMIT), f"cgroups that stay: /sys/fs/cgroup/*/{CGROUP}"
    if FOLDER.exists():
        shutil.rmtree(FOLDER)


def _remove_cgroups() -> bool | None:
    """True when they are gone; one whose last process has just ended may be busy for a moment."""
    tops = list(Path("/sys/fs/cgroup").glob(f"*/{CGROUP}"))
    for top in tops:
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
    return not any(top.exists() for top in tops) or None


def _remove_networks() -> None:
    """The bridges that hold an address of ours."""
    shown = subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, text=True, check=True, timeout=LIMIT)
    for link in json.loads(shown.stdout or "[]"):
        if any(address["local"].startswith(f"{SUBNET}.") for address in link["addr_info"]):
            subprocess.run(["ip", "link", "delete", link["ifname"]], check=False, timeout=LIMIT)


def _overlays() -> set[str]:
    """The links of overlay networks. One that outlives its engine bars the network of the next one."""
    return {link.name for link in Path("/sys/class/net").glob("vx-*")}


def _remove_overlays() -> None:
    """Those that this engine has made."""
    before = set(BEFORE.read_text().split()) if BEFORE.exists() else _overlays()
    for link in _overlays() - before:
        subprocess.run(["ip", "link", "delete", link], check=False, timeout=LIMIT)
