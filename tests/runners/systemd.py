"""A container with a real systemd, where tests run `proxyswitch` itself: the machine's own systemd is never touched.

    def test_it(systemd: Systemd, prefix: str) -> None:
        systemd.write(f"/etc/systemd/system/{prefix}@.service", UNIT)
        systemd.run("systemctl", "daemon-reload")
        done = systemd.proxyswitch("deploy", "web", "--version", "2", cwd="/srv")          # a CompletedProcess
        systemd.run("systemctl", "--user", "is-active", "web", user=USER)                  # the user's own manager

One container lasts as long as the test process, so that a test names its units by `prefix` (tests/runners/docker.py). The
project and this Python are there at the same paths, read-only; further there are nginx and the app, `APP`. Its ports are
its own: `systemd.address` is where the machine reaches them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxyswitch.polling import until
from tests.conftest import REPO, missing
from tests.runners import engine
from tests.runners.docker import Docker

USER = "deploy"  # an ordinary user, whose manager runs without a login
APP = "/app.py"  # apps/server.py, for /usr/bin/python3
LIMIT = 60.0
CGROUPS = Path("/sys/fs/cgroup/systemd")
FLAGS = (
    *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("-e", "container=docker", "--tmpfs", "/run", "--tmpfs", "/run/lock", "-v", f"{CGROUPS}:{CGROUPS}:rw"),
)
PREPARE = f"""
systemctl disable -q --now nginx
chmod a+x /root
useradd --create-home --shell /bin/sh {USER}
loginctl enable-linger {USER}
"""


@dataclass(frozen=True)
class Systemd:
    """The container."""

    name: str
    address: str

    def exec(
        self,
        *argv: str,
        user: str = "root",
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        stdin: str | None = None,
        timeout: float = LIMIT,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as a user with a home and a manager of its own; its status is the caller's to judge."""
        values = {"HOME": "/root", "PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"}
        if user != "root":
            uid = self.exec("id", "-u", user).stdout.strip()
            values |= {"HOME": f"/home/{user}", "XDG_RUNTIME_DIR": f"/run/user/{uid}"}
        words = [word for key, value in {**values, **(env or {})}.items() for word in ("-e", f"{key}={value}")]
        words += ["-i"] if stdin is not None else []
        return engine.docker("exec", *words, "-u", user, "-w", cwd, self.name, *argv, timeout=timeout, stdin=stdin)

    def run(self, *argv: str, user: str = "root", stdin: str | None = None) -> str:
        """What a command prints, without the last newline. Raises AssertionError with its stderr when it fails."""
        done = self.exec(*argv, user=user, stdin=stdin)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")

    def proxyswitch(
        self, *words: str, user: str = "root", env: Mapping[str, str] | None = None, cwd: str = "/"
    ) -> subprocess.CompletedProcess[str]:
        """`proxyswitch WORDS`, in the container."""
        return self.exec(sys.executable, "-m", "proxyswitch", *words, user=user, env=env, cwd=cwd)

    def write(self, path: str, text: str, *, user: str = "root", mode: str = "644") -> None:
        """Write a file, and the folders above it."""
        self.run("install", "-D", "-m", mode, "/dev/stdin", path, user=user, stdin=text)


def mounts() -> Iterator[str]:
    """The project and the Python that runs here, as flags: at the same paths, read-only."""
    folders = {REPO, Path(sys.prefix), Path(sys.base_prefix)} - {Path("/usr")}  # Debian 12's own is in the container too
    for folder in sorted(folders):
        if not any(above in folders for above in folder.parents):
            yield from ("-v", f"{folder}:{folder}:ro")


@pytest.fixture(scope="session")
def systemd(docker: Docker) -> Iterator[Systemd]:
    """A running systemd; see above."""
    if not CGROUPS.exists():
        missing("systemd's cgroup v1 hierarchy", "a kernel with systemd.unified_cgroup_hierarchy=0")
    with docker.prefixed() as name:
        docker.run("run", "-d", "--name", name, *FLAGS, *mounts(), docker.app(), "/lib/systemd/systemd")
        made = Systemd(name, docker.run("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name))
        booted = until(lambda: made.exec("systemctl", "is-system-running").stdout.strip() == "running" or None, LIMIT)
        assert booted, made.exec("systemctl", "--failed").stdout + docker.run("logs", name)
        made.run("sh", "-e", "-c", PREPARE)
        user = ("systemctl", "--user", "is-system-running")
        assert until(lambda: made.exec(*user, user=USER).stdout.strip() == "running" or None, LIMIT)
        yield made
