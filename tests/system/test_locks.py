from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from proxyswitch.errors import Busy, UsageError
from proxyswitch.system import clock, locks
from tests.system.helpers import python

HOLDER = """
import sys
from pathlib import Path
from proxyswitch.system import locks
with locks.hold(Path(sys.argv[1]), "the config", 0):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_a_busy_lock_says_who_holds_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    with python(HOLDER, str(path)) as child, pytest.raises(Busy) as busy, locks.hold(path, "nginx.conf", 0):
        pass
    assert busy.value.what.startswith(f"nginx.conf is busy: pid {child.pid} of alice has held it for 0 s: ")
    assert str(path) in busy.value.what  # its command
    assert busy.value.exit_code == 75


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    with python(HOLDER, str(path)) as child:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        with locks.hold(path, "x", 0):
            assert f"pid {os.getpid()} " in locks.holder(path)


def test_waiting_for_the_lock(path: Path) -> None:
    with python(HOLDER, str(path)) as child:
        begun = clock.now()
        with pytest.raises(Busy), locks.hold(path, "x", 0.2):
            pass
        assert clock.now() - begun >= 0.2
        assert child.stdin is not None
        child.stdin.close()  # it ends while we wait
        with locks.hold(path, "x", 30):
            pass


def test_released_after_an_error(path: Path) -> None:
    with pytest.raises(RuntimeError), locks.hold(path, "x", 0):
        raise RuntimeError
    with locks.hold(path, "x", 0):
        pass
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_locked_is_a_usage_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UsageError, match="lock"), locks.hold(path, "x", 0):
        pass


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"pid": 1, "user": "a", "command": "b", "since": null}'])
def test_a_nameless_holder(text: str, path: Path) -> None:
    path.write_text(text)
    assert locks.holder(path) == "another run holds it"


def test_a_full_disk_does_not_stop_who_has_the_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: str, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("proxyswitch.system.files.overwrite", full)
    with locks.hold(path, "x", 0):
        assert locks.holder(path) == "another run holds it"


def test_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000)
    assert locks.user() == "4000000"
