"""Accidents are impossible: no test may write below /etc or the person's home folder. And the real servers' programs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "proxyswitch",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=set(Phase) - {Phase.explain},  # slow, when a test fails
)
settings.register_profile("ci", settings.get_profile("proxyswitch"), derandomize=True)  # a find there is no flake
settings.load_profile("ci" if os.environ.get("CI") else "proxyswitch")

pytest_plugins = ["tests.runners.docker", "tests.runners.pm2", "tests.runners.systemd"]

REPO = Path(__file__).resolve().parent.parent
FIXTURES = REPO / "fixtures"
HOME = pwd.getpwuid(os.getuid()).pw_dir
FORBIDDEN = tuple(os.path.join(folder, "") for folder in ("/etc", HOME) if folder != "/")
# a working copy, a temp folder or a package cache may well lie in the home folder
ALLOWED = tuple(os.path.join(folder, "") for folder in (str(REPO), tempfile.gettempdir(), f"{HOME}/.cache"))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# audit event to how many of its first arguments are paths that it changes
CHANGES = {
    **dict.fromkeys(("os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.truncate", "os.setxattr"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
}


def forbidden(path: object) -> bool:
    """True for a path that no test may write to."""
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    real = os.path.abspath(os.fsdecode(path))
    return real.startswith(FORBIDDEN) and not real.startswith(ALLOWED)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    count = CHANGES.get(event, 0)
    if event == "open" and args[2] & WRITING:
        count = 1
    for path in args[:count]:
        if forbidden(path):
            raise AssertionError(f"a test would touch {path!r} ({event})")


sys.addaudithook(_audit)


def snapshot() -> set[tuple[str, float, int]]:
    """Cheap marks of what programs that tests start could spoil: server configs, and the names in the home folder."""
    found: set[tuple[str, float, int]] = set()
    for top in ("/etc/nginx", "/etc/haproxy", "/var/lib/proxyswitch", f"{HOME}/.local/state/proxyswitch"):
        for folder, _, names in os.walk(top):
            marks = [(p, os.lstat(p)) for p in (folder, *(os.path.join(folder, n) for n in names))]
            found |= {(p, s.st_mtime, s.st_size) for p, s in marks}
    return found | {(os.path.join(HOME, name), 0.0, 0) for name in os.listdir(HOME) if name.strip(".") in OURS}


OURS = frozenset({"proxyswitch", "proxyswitch.toml", "nginx.conf", "haproxy.cfg", "nginx.pid", "state", "pm2"})


@pytest.fixture(scope="session", autouse=True)
def _guard() -> Iterator[None]:
    """Fail the run when a program that a test started has touched the machine's own files."""
    before = snapshot()
    yield
    changed = sorted({path for path, _, _ in before ^ snapshot()})
    assert not changed, f"a test touched files outside its temporary folder: {', '.join(changed)}"


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local/state"))
    monkeypatch.setenv("PROXYSWITCH_STATE", str(home / "proxyswitch-state"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.geteuid() and item.get_closest_marker("root"):
        not_here("needs root: run the tests with sudo")


def not_here(message: str) -> None:
    """In CI that fails, so that nothing is left out unseen; on a developer's own machine the test is skipped."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def missing(program: str, install: str) -> None:
    """A server that a test needs is not here."""
    not_here(f"{program} is not installed; install it with: {install}")


@pytest.fixture(scope="session")
def nginx_binary() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found:
        missing("nginx", "apt-get install --no-install-recommends nginx libnginx-mod-stream")
    return str(found)


@pytest.fixture(scope="session")
def haproxy_binary() -> str:
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found:
        missing("haproxy", "apt-get install --no-install-recommends haproxy")
    return str(found)


@pytest.fixture(scope="session")
def nginx_globals(nginx_binary: str) -> str:
    """What `nginx -g` needs so that `stream` works: nothing where it is built in."""
    built = subprocess.run([nginx_binary, "-V"], capture_output=True, text=True, check=True, timeout=10).stderr
    words = dict(word.partition("=")[::2] for word in built.split())
    module = Path(words.get("--modules-path", "")) / "ngx_stream_module.so"
    if "--with-stream" in words and not words["--with-stream"]:
        return ""
    if not module.exists():
        missing("nginx's stream module", "apt-get install --no-install-recommends libnginx-mod-stream")
    return f"load_module {module};"
