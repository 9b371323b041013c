from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxyswitch.errors import Interrupted, UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import proc, run, signals
from proxyswitch.system.run import Command, Result
from tests.system.helpers import eventually


def sh(script: str, timeout: float = 60.0) -> Result:
    return run.run(Command(("/bin/sh", "-c", script), timeout))


def gone(pid: int) -> bool:
    return proc.identify(pid) is None


def test_output_and_status() -> None:
    done = sh("echo out; echo err >&2; printf '\\377'; exit 3")
    assert (done.code, done.out, done.err, done.ok) == (3, "out\n\ufffd", "err\n", False)
    assert "ended with status 3" in done.reason()
    assert sh("true").ok


def test_exit_by_signal() -> None:
    done = sh("kill -TERM $$")
    assert done.code == -signal.SIGTERM
    assert not done.ok
    assert "SIGTERM" in done.reason()


def test_a_signal_without_a_name_has_a_reason() -> None:
    assert "40" in Result(-40, "", "", 0.1).reason()


def test_standard_input_is_empty_and_the_group_its_own() -> None:
    done = sh("cat; cut -d' ' -f5 /proc/$$/stat; echo $$")
    group, pid = done.out.split()
    assert group == pid


def sh_of(script: str, data: bytes) -> Result:
    return run.run(Command(("/bin/sh", "-c", script), input=data))


def test_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"ab\n" * 100_000  # more than a pipe holds
    assert sh_of("wc -c", data).out == "300000\n"
    assert sh_of("cat; echo end", b"").out == "end\n"
    assert sh_of("exec true", data).ok  # who does not read it has not failed
    monkeypatch.setattr(run, "TICK_EVERY", 0.05)
    ticks: list[float] = []
    assert run.run(Command(("/bin/sh", "-c", "sleep 0.3; wc -c"), input=data), ticks.append).out == "300000\n"
    assert ticks


def test_quiet_output_is_thrown_away_and_a_daemon_does_not_hold_us(tmp_path: Path) -> None:
    script = f"echo out; echo err >&2; sleep 600 & echo $! > {tmp_path}/pid; exit 3"
    done = run.run(Command(("/bin/sh", "-c", script), quiet=True))
    try:
        assert (done.code, done.out, done.err, done.timed_out) == (3, "", "", False)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_environment_is_added_to_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OURS", "1")
    done = run.run(Command(("/bin/sh", "-c", "echo $OURS $THEIRS; pwd -P"), env={"THEIRS": "2"}, cwd=str(tmp_path)))
    assert done.out == f"1 2\n{tmp_path.resolve()}\n"


def test_a_missing_program() -> None:
    with pytest.raises(UsageError, match="cannot run /no/such 'a b': No such file or directory"):
        run.run(Command(("/no/such", "a b")))
    with pytest.raises(UsageError, match=r"cannot run .*null byte"):
        run.run(Command(("echo", "\0")))


def test_the_time_limit_kills_the_whole_group() -> None:
    done = sh("sleep 600 & echo $!; echo before; sleep 600", timeout=0.3)
    child, word = done.out.split()
    assert (done.timed_out, done.ok, word) == (True, False, "before")
    assert "did not end within" in done.reason()
    assert eventually(lambda: gone(int(child)))


def test_a_daemon_that_keeps_the_output_open_does_not_hold_us() -> None:
    done = sh("setsid sleep 600 & echo $!", timeout=0.5)
    daemon = int(done.out)
    try:
        assert done.timed_out
        assert not gone(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_interrupted_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.01; done; kill -TERM {os.getpid()}; sleep 600"
    running = run.Running(Command(("/bin/sh", "-c", script)))
    communicate = running.process.communicate

    def waiting(timeout: float | None = None) -> tuple[bytes, bytes]:
        go.touch()
        return communicate(timeout=timeout)

    monkeypatch.setattr(running.process, "communicate", waiting)
    with pytest.raises(Interrupted), signals.interruptible():
        running.finish()
    assert gone(running.process.pid)


def test_spawn_outlives_and_is_reaped(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    script = "echo hello $WHO; ls -l /proc/$$/fd/0; umask; exec sleep 600"
    detached = run.Detached(("/bin/sh", "-c", script), {"WHO": "me", "PATH": os.environ["PATH"]}, str(log), umask=0o027)
    process = run.spawn(detached)
    try:
        assert proc.identify(process.pid) == process
        assert proc.group(process.pid) == process.pid != os.getpgrp()
        assert eventually(lambda: log.read_text().endswith("0027\n"))
        assert log.read_text().startswith("hello me\n")
        assert "/dev/null" in log.read_text()
        assert run.reap(process.pid) is None
    finally:
        signals.send(process, signals.KILL)
    assert eventually(lambda: run.reap(process.pid) == -signal.SIGKILL)
    assert run.reap(1) is None


def test_what_cannot_be_spawned(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    with pytest.raises(UsageError, match="cannot start /no/such: No such file or directory"):
        run.spawn(run.Detached(("/no/such",), {}, log))
    with pytest.raises(UsageError, match=str(tmp_path / "nowhere")):
        run.spawn(run.Detached(("/bin/true",), {}, log, cwd=str(tmp_path / "nowhere")))
    with pytest.raises(UsageError, match="no user 'nobody-like-this'"):
        run.spawn(run.Detached(("/bin/true",), {}, log, user="nobody-like-this"))


@pytest.mark.root
def test_spawn_as_another_user(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = run.spawn(run.Detached(("/bin/sh", "-c", "id -u; id -G; exec sleep 600"), {}, str(log), user="nobody"))
    try:
        assert eventually(lambda: log.read_text().count("\n") == 2)
        uid, groups = log.read_text().splitlines()
        assert int(uid) == proc.owner(process.pid) != 0
        assert "0" not in groups.split()
    finally:
        signals.send(process, signals.KILL)
        assert eventually(lambda: run.reap(process.pid) is not None)


def test_spawn_of_what_ends_at_once_can_be_told(tmp_path: Path) -> None:
    process = run.spawn(run.Detached(("/bin/false",), {}, str(tmp_path / "log")))
    assert isinstance(process, ProcessId)
    assert eventually(lambda: run.reap(process.pid) == 1)


def test_a_signal_while_a_command_starts_kills_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    popen = run._popen

    def interrupted(command: Command) -> subprocess.Popen[bytes]:
        child = popen(command)
        begun.append(child.pid)
        os.kill(os.getpid(), signal.SIGTERM)
        return child

    monkeypatch.setattr(run, "_popen", interrupted)
    with pytest.raises(Interrupted), signals.interruptible():
        run.start(Command(("sleep", "600")))
    assert gone(begun[0])


def test_a_command_can_be_started_by_any_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(sh, "echo 1").result().out == "1\n"
