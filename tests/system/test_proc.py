from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from proxyswitch.model import ProcessId
from proxyswitch.system import clock, proc
from tests.system.helpers import eventually, python

FORKS = """
import os, sys, time
def child():
    time.sleep(600)
    os._exit(0)
for _ in range(2):
    os.fork() or child()
print("ready", flush=True)
sys.stdin.read()
"""
READY = 'import sys; print("ready", flush=True); sys.stdin.read()'


def own(pid: int) -> ProcessId:
    found = proc.identify(pid)
    assert found
    return found


@pytest.mark.parametrize("listed", [True, False])
def test_children_and_group(listed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not listed:  # a kernel without its own list of children
        read = proc._read
        monkeypatch.setattr(proc, "_read", lambda pid, name: b"" if name.startswith("task/") else read(pid, name))
    with python(FORKS) as child:
        children = proc.children(child.pid)
        try:
            assert len(children) == 2
            assert [proc.parent(pid) for pid in children] == [child.pid] * 2
            assert {p.pid for p in proc.group_members(child.pid)} == {child.pid, *children}
            assert proc.group(child.pid) == child.pid
            assert child.pid in proc.children(os.getpid())
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)


def test_an_odd_name_does_not_shift_the_fields() -> None:
    rename = 'import ctypes; ctypes.CDLL(None).prctl(15, b"a) R 1 (b", 0, 0, 0);' + READY
    with python(rename) as child:
        assert proc.parent(child.pid) == os.getpid()


def test_titles_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXYSWITCH_TEST_MARK", f"m{os.getpid()}")
    with python(READY, "one", "two words") as child:
        assert proc.title(child.pid).endswith(" one two words")
        assert proc.environment(child.pid)["PROXYSWITCH_TEST_MARK"] == f"m{os.getpid()}"
        assert [p.pid for p in proc.with_environment("PROXYSWITCH_TEST_MARK", f"m{os.getpid()}")] == [child.pid]
        assert proc.with_environment("PROXYSWITCH_TEST_MARK", "m") == []  # the whole value counts
        assert proc.owner(child.pid) == os.geteuid()
        assert proc.link(child.pid, "cwd") == os.getcwd()


def test_start_times() -> None:
    with python(READY) as child, python(READY) as later:
        first, second = own(child.pid), own(later.pid)
        assert first.start <= second.start
        second_age = proc.age(second)  # asked first: the clock goes on
        assert proc.age(first) >= second_age >= 0
        assert abs(proc.started(first) + proc.age(first) - clock.wall()) < 5
        assert proc.alive(first)
        assert not proc.alive(ProcessId(first.pid, first.start - 1))  # an earlier one with this pid


def test_a_zombie_is_no_process() -> None:
    with python(READY) as child:
        process = own(child.pid)
        child.kill()
        assert eventually(lambda: proc.stat(child.pid)[:1] == [b"Z"])
        assert proc.identify(child.pid) is None
        assert not proc.alive(process)
        assert proc.group_members(child.pid) == []
        child.wait()
        assert proc.stat(child.pid) == []


def test_a_process_that_is_gone() -> None:
    with python(READY) as child:
        pid = child.pid
    assert proc.identify(pid) is None
    assert (proc.title(pid), proc.parent(pid), proc.group(pid), proc.children(pid)) == ("", 0, 0, [])
    assert (proc.environment(pid), proc.link(pid, "exe"), proc.owner(pid)) == ({}, "", None)


def test_what_executes_a_program_is_not_taken_for_one_without_words(tmp_path: Path) -> None:
    script = tmp_path / "again"
    pause = "i=0; while [ $i -lt 500 ]; do i=$((i+1)); done\n"
    script.write_text(f'{pause}exec /bin/sh "$0" word\n')  # the same process, over and over
    with subprocess.Popen(["/bin/sh", str(script)], env={"MARK": "1"}) as child:
        try:
            assert eventually(lambda: proc.words(child.pid)[-1:] == ("word",))
            looks = [(proc.words(child.pid)[0], proc.environment(child.pid)["MARK"]) for _ in range(2000)]
        finally:
            child.kill()
    assert set(looks) == {("/bin/sh", "1")}


def test_the_command_line_as_it_was_given() -> None:
    with python(READY, "one", "", "two words", "") as child:
        assert proc.arguments(child.pid)[-4:] == ("one", "", "two words", "")
    assert proc.arguments(child.pid) == proc.arguments(2) == ()  # gone, and a thread of the kernel's
