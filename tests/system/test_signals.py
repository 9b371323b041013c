from __future__ import annotations

import os
import signal

import pytest

from proxyswitch.errors import Interrupted
from proxyswitch.model import ProcessId
from proxyswitch.system import clock, proc, signals
from tests.system.helpers import eventually, python

READY = 'import sys; print("ready", flush=True); sys.stdin.read()'
GROUP = """
import os, sys, time
if os.fork() == 0:
    time.sleep(600)
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""


def own(pid: int) -> ProcessId:
    found = proc.identify(pid)
    assert found
    return found


def test_send() -> None:
    with python(READY) as child:
        assert signals.send(own(child.pid), signals.TERM)
        assert child.wait(30) == -signal.SIGTERM


def test_a_later_process_with_the_same_pid_is_not_hit() -> None:
    with python(READY) as child:
        process = own(child.pid)
        assert not signals.send(ProcessId(process.pid, process.start - 1), signals.KILL)
        assert proc.alive(process)


def test_a_process_that_is_gone() -> None:
    with python(READY) as child:
        process = own(child.pid)
        child.kill()
        assert eventually(lambda: proc.identify(child.pid) is None)
        assert not signals.send(process, signals.TERM)  # a zombie
    assert not signals.send(process, signals.TERM)
    assert signals.may_signal(process)


def test_send_group() -> None:
    with python(GROUP) as child:
        (worker,) = proc.children(child.pid)
        leader = own(child.pid)
        signals.send_group(ProcessId(leader.pid, leader.start + 1), signals.KILL)  # not that group
        assert proc.alive(leader)
        signals.send_group(leader, signals.KILL)
        assert child.wait(30) == -signal.SIGKILL
        assert eventually(lambda: proc.identify(worker) is None)


@pytest.mark.parametrize("signum", signals.STOPPING)
def test_a_signal_becomes_interrupted(signum: signal.Signals) -> None:
    before = signal.getsignal(signum)

    def work() -> None:
        os.kill(os.getpid(), signum)
        clock.sleep(30)

    with pytest.raises(Interrupted) as caught, signals.interruptible():
        work()
    assert caught.value.exit_code == 128 + signum
    assert signum.name in caught.value.what
    assert signal.getsignal(signum) == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with signals.interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_are_held_back_while_something_is_undone() -> None:
    done = []

    def undo() -> None:
        with signals.uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("undone")
        done.append("never")

    with pytest.raises(Interrupted), signals.interruptible():
        undo()
    assert done == ["undone"]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.root
def test_what_is_not_ours_to_signal() -> None:
    with python(READY) as other:
        process = own(other.pid)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setuid(54321)
                if not signals.may_signal(process):
                    signals.send(process, signals.TERM)
            except Exception as error:  # noqa: BLE001  # the parent reads the status
                code = 0 if "no permission to signal" in str(error) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert proc.alive(process)
