from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxyswitch.drivers import _ending
from proxyswitch.drivers._launch import MARKER
from proxyswitch.drivers._logs import BLOCK, tail
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.process.driver import Process
from proxyswitch.errors import Failed, NeedsPerson, SettingsError, UsageError
from proxyswitch.model import Instance, ProcessId
from proxyswitch.system import net, proc, run, signals
from tests.drivers.world import World, leader, wait

REPO = Path(__file__).resolve().parents[2]


def says(instance: Instance) -> str:
    return Path(instance.log).read_text()


def up(instance: Instance) -> Instance:
    wait(lambda: "listening" in says(instance))
    return instance


def child_of(instance: Instance) -> int:
    wait(lambda: re.search(r"child \d+\n", says(instance)))
    found = re.search(r"child (\d+)\n", says(instance))
    assert found
    return int(found[1])


# environment and command


def test_environment_is_ours_without_what_ci_runners_track(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked = ("RUNNER_TRACKING_ID", "JENKINS_NODE_COOKIE", "BUILD_ID", "VSTS_PROCESS_LOOKUP_ID")
    for name in (*tracked, "SOCKET", "KEPT"):
        monkeypatch.setenv(name, "x")
    text = "{version} {slot} {port} {host} {address} {other} ${HOME} {}"
    instance = up(world.driver(env={"MINE": text}).start(world.slot(), "1.2"))
    env = proc.environment(leader(instance).pid)
    port = world.ports["blue"]
    assert not set(tracked) & set(env)
    assert "SOCKET" not in env
    assert env["KEPT"] == "x"
    assert env["MINE"] == f"1.2 blue {port} 127.0.0.1 127.0.0.1:{port} {{other}} ${{HOME}} {{}}"
    wanted = {"PORT": str(port), "HOST": "127.0.0.1", "APP_VERSION": "1.2", "APP_SLOT": "blue", "APP_NAME": "web"}
    assert wanted.items() <= env.items()
    assert env[MARKER]


def test_unix_slot_gets_socket_instead_of_a_port(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    path = world.folder / "app.sock"
    driver = world.driver(slots={"blue": f"unix:{path}"}, env={"A": "{address}|{port}|{host}"})
    slot = driver._slots[0]
    path.touch()
    driver.check(slot)
    env = proc.environment(leader(up(driver.start(slot, "1"))).pid)
    assert env["SOCKET"] == str(path)
    assert env["A"] == f"unix:{path}||"
    assert not {"PORT", "HOST"} & set(env)


def test_placeholders_in_argv_and_cwd_and_the_umask(world: World) -> None:
    folder = world.folder / "rel-7"
    folder.mkdir()
    command = ["/bin/sh", "-c", 'echo "$1 $PWD $(umask)"; exec sleep 1000', "sh", "{slot}-{version}-{x}"]
    driver = world.driver(command=command, cwd=str(world.folder / "rel-{version}"), umask="027")
    instance = driver.start(world.slot(), "7")
    wait(lambda: f"blue-7-{{x}} {folder} 0027\n" in says(instance))


def test_shell_command_is_the_group_leader_of_a_session_of_its_own(world: World) -> None:
    instance = world.driver(command="echo v={version}; exec sleep 1000").start(world.slot(), "1.0")
    wait(lambda: says(instance) == "v=1.0\n")
    assert proc.group(leader(instance).pid) == leader(instance).pid == os.getsid(leader(instance).pid)
    assert proc.link(leader(instance).pid, "fd/0") == "/dev/null"


def test_version_that_a_shell_would_run_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="cannot be put into a shell command"):
        world.driver(command="echo {version}").start(world.slot(), "1; touch /tmp/x")
    assert not world.state.exists()


@pytest.mark.root
def test_user_is_switched(world: World) -> None:
    instance = world.driver(command='id -un; echo "$USER"; exec sleep 1000', user="nobody").start(world.slot(), "1")
    wait(lambda: says(instance) == "nobody\nnobody\n")
    assert proc.owner(leader(instance).pid) != 0
    assert world.driver(user="nobody").stop(world.slot())


def test_other_user_needs_root(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UsageError, match="only root can start a process as nobody"):
        world.driver(user="nobody").check(world.slot())


@pytest.mark.parametrize(
    ("process", "message"),
    [
        ({"user": "no-such-user"}, "there is no user 'no-such-user'"),
        ({"cwd": "/no/such/folder-{version}"}, "there is no folder /no/such/folder-1"),
        ({"command": ["no-such-program", "x"]}, "there is no program no-such-program in PATH"),
        ({"command": "exec no-such-program x"}, "there is no program no-such-program in PATH"),
        ({"command": ["./no-{version}"], "cwd": "/"}, "there is no program ./no-1 in /"),
        ({"stop_signal": "TREM"}, "stop_signal: there is no signal 'TREM'"),
    ],
)
def test_faults_are_found_before_anything_is_changed(world: World, process: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        world.driver(**process).start(world.slot(), "1")
    assert not world.state.exists()
    if "{version}" not in str(process):
        with pytest.raises(UsageError, match=re.escape(message)):
            world.driver(**process).check(world.slot())
        assert message in str(world.driver(**process).problems()[0])


def test_what_names_the_version_is_not_checked_before_it_is_known(world: World) -> None:
    driver = world.driver(command=["{version}/run"], cwd="/no/{version}")
    driver.check(world.slot())
    assert driver.problems() == []


def test_shell_builtins_are_programs_too(world: World) -> None:
    world.driver(command="cd / && true").check(world.slot())


def test_program_that_cannot_be_run_leaves_no_log(world: World) -> None:
    program = world.folder / "broken"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(UsageError, match="cannot start"):
        world.driver(command=[str(program)]).start(world.slot(), "1")
    assert list((world.state / "logs").iterdir()) == []


def test_no_process_table(world: World) -> None:
    context = world.context()
    app = msgspec.structs.replace(context.app, process=None)
    with pytest.raises(SettingsError, match=r"apps\.web\.process"):
        Process(Context("web", app, context.folder))


# stop


def test_polite_app_ends_at_the_stop_signal(world: World) -> None:
    instance = up(world.driver("deaf", stop_signal="int", grace=60).start(world.slot(), "1"))
    assert world.driver("deaf", stop_signal="int", grace=60).stop(world.slot())
    assert not Path(f"/proc/{leader(instance).pid}").exists(), "our own child must be reaped"
    assert run.reap(leader(instance).pid) in (1, -signal.SIGINT)
    assert not world.record().exists()


def test_deaf_app_and_its_child_are_killed_after_the_grace(world: World) -> None:
    driver = world.driver("deaf", "child", grace=0.1)
    instance = up(driver.start(world.slot(), "1"))
    child = child_of(instance)
    assert driver.stop(world.slot())
    assert run.reap(leader(instance).pid) == -signal.SIGKILL
    assert proc.identify(child) is None


def test_deaf_child_dies_with_a_polite_leader(world: World) -> None:
    driver = world.driver("child", grace=0.1)
    instance = up(driver.start(world.slot(), "1"))
    child = child_of(instance)
    assert driver.stop(world.slot())
    assert run.reap(leader(instance).pid) == -signal.SIGTERM
    assert proc.identify(child) is None


def test_what_a_dead_leader_left_is_stopped(world: World) -> None:
    driver = world.driver("child", grace=0.1)
    instance = up(driver.start(world.slot(), "1"))
    child = child_of(instance)
    signals.send(leader(instance), signals.KILL)
    wait(lambda: proc.identify(leader(instance).pid) is None)
    assert driver.status(world.slot()) is None
    assert proc.identify(child)
    assert driver.stop(world.slot())
    assert proc.identify(child) is None
    assert driver.stop(world.slot()) is False


def test_left_child_without_its_environment_is_known_by_its_log(world: World) -> None:
    command = "env -i sleep 1000 & echo child $!; exec sleep 1000"
    instance = world.driver(command=command, cwd=str(world.folder)).start(world.slot(), "1")
    child = child_of(instance)
    wait(lambda: not proc.environment(child))
    signals.send(leader(instance), signals.KILL)
    wait(lambda: proc.identify(leader(instance).pid) is None)
    assert world.driver(command=command).stop(world.slot())
    assert proc.identify(child) is None


def test_member_that_nothing_marks_dies_with_its_group(world: World) -> None:
    deaf = "trap '' TERM; exec >/dev/null 2>&1; sleep 1000; sleep 1000"
    command = f'env -i sh -c "{deaf}" & echo child $!; exec sleep 1000'
    driver = world.driver(command=command, cwd=str(world.folder), grace=0.1)
    child = child_of(driver.start(world.slot(), "1"))
    wait(lambda: not proc.environment(child) and proc.link(child, "fd/1") == "/dev/null")
    assert driver.stop(world.slot())
    assert proc.identify(child) is None


def test_a_reused_pid_is_neither_running_nor_stopped(world: World) -> None:
    up(world.driver().start(world.slot(), "1"))
    record = world.record().read_bytes()
    assert world.driver().stop(world.slot())
    stranger = world.stranger()
    world.record().write_bytes(record)
    world.edit_record(pid=stranger.pid, start=stranger.start - 1)
    assert world.driver().status(world.slot()) is None
    assert world.driver().stop(world.slot()) is False
    assert proc.alive(stranger)
    assert "SIG" not in world.driver().obituary(world.slot())


def test_group_signals_never_reach_a_later_group(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = world.stranger()
    sent: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, signum: sent.append(group))
    signals.send_group(ProcessId(stranger.pid, stranger.start - 1), signals.KILL)
    assert sent == []
    signals.send_group(stranger, signals.KILL)
    assert sent == [stranger.pid]


def test_record_of_the_first_process_is_not_believed(world: World) -> None:
    world.driver().start(world.slot(), "1")
    assert world.driver().stop(world.slot())
    first = proc.identify(1)
    assert first
    world.record().write_text(
        json.dumps({"pid": 1, "start": first.start, "version": "", "since": 0, "log": "", "boot": proc.boot()})
    )
    assert world.driver().status(world.slot()) is None


def test_record_of_another_boot_says_nothing(world: World) -> None:
    stranger = world.stranger()
    up(world.driver().start(world.slot(), "1"))
    assert world.driver().stop(world.slot())
    wait(lambda: world.driver().status(world.slot()) is None)
    world.driver().start(world.slot(), "1")
    real = world.driver().status(world.slot())
    assert real
    world.edit_record(pid=stranger.pid, start=stranger.start, boot="another")
    found = world.driver().status(world.slot())
    assert found
    assert leader(found) == leader(real)
    assert world.driver().stop(world.slot())
    assert proc.alive(stranger)


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'{"pid": "x"}', b'{"pid": 0, "start": 0}'])
def test_damaged_record_is_as_none(world: World, record: bytes) -> None:
    world.state.mkdir(parents=True)
    world.record().write_bytes(record)
    assert world.driver().status(world.slot()) is None
    assert world.driver().stop(world.slot()) is False


def test_one_that_cannot_be_ended_needs_a_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = world.driver("deaf", grace=0)
    instance = up(driver.start(world.slot(), "1"))
    with monkeypatch.context() as patch:
        patch.setattr(signals, "KILL", 0)
        patch.setattr(_ending, "KILL_WAIT", 0.05)
        with pytest.raises(NeedsPerson) as caught:
            driver.stop(world.slot())
    assert str(leader(instance).pid) in caught.value.state
    assert driver.status(world.slot()) == instance
    assert driver.stop(world.slot())


def test_stop_from_inside_the_instance_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = up(world.driver().start(world.slot(), "1"))
    monkeypatch.setattr(proc, "lineage", lambda pid: [pid, leader(instance).pid, 1])
    with pytest.raises(Failed, match="runs inside"):
        world.driver().stop(world.slot())
    assert proc.alive(leader(instance))


def test_slots_do_not_touch_each_other(world: World) -> None:
    blue = up(world.driver().start(world.slot("blue"), "1"))
    green = up(world.driver().start(world.slot("green"), "2"))
    assert world.driver().stop(world.slot("blue"))
    assert not proc.alive(leader(blue))
    assert world.driver().status(world.slot("green")) == green


def test_app_started_while_signals_are_held_back_can_be_stopped(world: World) -> None:
    driver = world.driver(grace=60)
    with signals.uninterrupted():
        instance = up(driver.start(world.slot(), "1"))
    assert driver.stop(world.slot())
    assert run.reap(leader(instance).pid) == -signal.SIGTERM


# starts that were cut short

SCRIPT = """
import os, signal, sys
from pathlib import Path
from proxyswitch import settings
from proxyswitch.drivers.process import driver as process
from proxyswitch.drivers.base import Context
if sys.argv[2] == "killed":
    process.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
app = settings.load(Path("proxyswitch.toml")).app("web")
driver = process.Process(Context("web", app, Path(sys.argv[1])))
driver.start(app.places[0], "9")
"""


def start_elsewhere(world: World, how: str) -> int:
    """Start it from another process, which is gone when this returns."""
    command = ", ".join(f"'{word}'" for word in world.argv())
    (world.folder / "proxyswitch.toml").write_text(
        f"apps.web.pool = 'p'\napps.web.slots.blue = '127.0.0.1:{world.ports['blue']}'\n"
        f"apps.web.process.command = [{command}]\n"
    )
    argv = [sys.executable, "-c", SCRIPT, str(world.state), how]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO), *filter(None, sys.path)])}
    return subprocess.run(argv, cwd=world.folder, env=env, timeout=60, check=False).returncode


def test_app_outlives_who_started_it(world: World) -> None:
    assert start_elsewhere(world, "whole") == 0
    instance = world.driver().status(world.slot())
    assert instance
    assert (instance.version, instance.ours) == ("9", True)
    up(instance)
    assert world.driver().stop(world.slot())
    assert not proc.alive(leader(instance))


def test_start_killed_before_its_record_is_found_by_the_marker(world: World) -> None:
    assert start_elsewhere(world, "killed") == -signal.SIGKILL
    assert not world.record().exists()
    wait(lambda: world.driver().status(world.slot()))
    instance = world.driver().status(world.slot())
    assert instance
    assert (instance.version, instance.ours, leader(instance).pid) == ("9", True, proc.group(leader(instance).pid))
    up(instance)
    with pytest.raises(Failed, match=f"web:blue is already running: process {leader(instance).pid}"):
        world.driver().start(world.slot(), "10")
    assert world.driver().status(world.slot("green")) is None
    assert world.driver().stop(world.slot("green")) is False
    assert world.driver().stop(world.slot())
    assert not proc.alive(leader(instance))


def test_topmost_marked_process_is_the_instance(world: World) -> None:
    instance = up(world.driver("child").start(world.slot(), "1"))
    child_of(instance)
    world.record().unlink()
    found = world.driver().status(world.slot())
    assert found
    assert (leader(found), found.log) == (leader(instance), instance.log)


def test_app_whose_record_cannot_be_written_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.record().mkdir(parents=True)  # as a full disk would: the record cannot be put there
    monkeypatch.setattr("proxyswitch.drivers.process.driver.load", lambda path: None)
    with pytest.raises(Failed):
        world.driver().start(world.slot(), "1")
    assert world.driver().status(world.slot()) is None


# logs and last words


def test_logs_are_kept_per_slot_and_rotated(world: World) -> None:
    names = []
    green = world.driver(log_keep=2).start(world.slot("green"), "g")
    for version in "1234":
        instance = up(world.driver(log_keep=2).start(world.slot(), version))
        names.append(Path(instance.log).name)
        assert world.driver(log_keep=2).stop(world.slot())
    assert all(re.fullmatch(rf"web-blue-\d{{8}}T\d{{6}}-{n}\.log", name) for n, name in enumerate(names, 1))
    kept = {p.name for p in (world.state / "logs").iterdir()}
    assert kept == {*names[2:], Path(green.log).name}
    assert Path(green.log).stat().st_mode & 0o777 == 0o640
    assert next(world.driver().logs(world.slot(), 10)) == "I am 4"


def test_own_log_folder(world: World) -> None:
    instance = world.driver(log_dir=str(world.folder / "deep" / "logs")).start(world.slot(), "1")
    assert Path(instance.log).parent == world.folder / "deep" / "logs"


@pytest.mark.parametrize(
    ("data", "lines", "wanted"),
    [
        (b"", 3, []),
        (b"a\nb\nc\n", 2, ["b", "c"]),
        (b"a\nb\nc", 2, ["b", "c"]),
        (b"a\n\n", 2, ["a", ""]),
        (b"a\n", 0, []),
        (b"\xff\n", 1, ["\ufffd"]),
        (b"x" * 3 * BLOCK + b"\nb\n", 2, ["x" * 3 * BLOCK, "b"]),
    ],
)
def test_tail(tmp_path: Path, data: bytes, lines: int, wanted: list[str]) -> None:
    (tmp_path / "log").write_bytes(data)
    assert tail(tmp_path / "log", lines) == wanted


def test_tail_of_a_huge_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyswitch.drivers._logs.LIMIT", 2 * BLOCK)
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    assert len(tail(path, 5)[0]) == 2 * BLOCK
    assert tail(tmp_path / "none", 5) == []


def test_no_instance_has_no_logs(world: World) -> None:
    assert list(world.driver().logs(world.slot(), 5)) == []
    assert "nothing is known" in world.driver().obituary(world.slot())


def test_app_that_dies_at_once_has_an_obituary(world: World) -> None:
    driver = world.driver("exit", 3)
    instance = driver.start(world.slot(), "1")
    wait(lambda: not proc.alive(leader(instance)))
    assert driver.status(world.slot()) is None
    rows = driver.obituary(world.slot()).splitlines()
    assert rows[0] == f"web:blue: process {leader(instance).pid} ended with status 3"
    assert [row.strip() for row in rows[1:]] == [f"last words {n}" for n in range(4, 9)]


def test_obituary_of_a_killed_one_and_of_a_running_one(world: World) -> None:
    driver = world.driver()
    instance = up(driver.start(world.slot(), "1"))
    assert "is running" in driver.obituary(world.slot())
    signals.send(leader(instance), signals.KILL)
    wait(lambda: not proc.alive(leader(instance)))
    assert "was ended by signal 9 (SIGKILL)" in driver.obituary(world.slot())


# what is in the way


def test_running_instance_is_in_the_way(world: World) -> None:
    instance = world.driver().start(world.slot(), "1")
    with pytest.raises(Failed, match=f"web:blue is already running: process {leader(instance).pid}") as caught:
        world.driver().check(world.slot())
    assert caught.value.next_step == "proxyswitch stop web:blue"


def test_stranger_at_the_port_is_named(world: World) -> None:
    stranger = world.stranger(world.ports["blue"])
    with pytest.raises(UsageError, match=f"is taken by process {stranger.pid} \\(.*app.py") as caught:
        world.driver().start(world.slot(), "1")
    assert "adopt_port" in caught.value.next_step
    assert not world.state.exists()
    assert world.driver().status(world.slot()) is None
    assert world.driver().stop(world.slot()) is False
    assert proc.alive(stranger)


def test_port_that_leftovers_hold_is_freed_by_stop(world: World) -> None:
    instance = up(world.driver("workers", "stubborn", grace=0.1).start(world.slot(), "1"))
    wait(lambda: says(instance).count("worker ") == 2)
    signals.send(leader(instance), signals.KILL)
    wait(lambda: not proc.alive(leader(instance)))
    with pytest.raises(UsageError) as caught:
        world.driver().check(world.slot())
    assert caught.value.next_step == "proxyswitch stop web:blue"
    assert world.driver(grace=0.1).stop(world.slot())
    assert not net.is_listening(world.slot().endpoint)


def test_problems_name_a_folder_that_cannot_be_written(world: World) -> None:
    (world.folder / "file").touch()
    found = world.driver(log_dir=str(world.folder / "file" / "logs")).problems()
    assert [f"{world.folder}/file is not a folder" in p.what for p in found] == [True]
    assert world.driver().problems() == []


def test_problems_name_a_folder_without_permission(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert any("no permission to write" in p.what for p in world.driver(command="true").problems())
