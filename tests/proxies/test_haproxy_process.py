"""Finding HAProxy: its command line, its version, what runs, and the service that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.proxies import haproxy_process
from proxyswitch.proxies.haproxy_arguments import Arguments, options, parse, replaced, socket_address
from proxyswitch.system import files, proc, signals
from tests.proxies.haproxy_world import World, as_user, ended, eventually, world


@pytest.fixture
def place(tmp_path: Path, haproxy_binary: str) -> Iterator[World]:
    with world(tmp_path, haproxy_binary) as made:
        yield made


def line(text: str, folder: str = "/srv") -> Arguments:
    return parse(text.split(), folder)


# the command line


def test_the_arguments_of_a_usual_service() -> None:
    got = line("/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock", "/")
    assert got.files == ("/etc/haproxy/haproxy.cfg",)
    assert (got.folder, got.pidfile, got.master_socket) == ("/", "/run/haproxy.pid", "/run/haproxy-master.sock")
    assert got.rest == ("-W",)
    assert got.master_endpoint == Endpoint(path="/run/haproxy-master.sock")


def test_all_files_in_their_order_relative_ones_from_the_folder() -> None:
    got = line("haproxy -f b.cfg -D -f conf.d/ -f ../a.cfg -- c.cfg -x d.cfg")
    assert got.files == ("/srv/b.cfg", "/srv/conf.d", "/a.cfg", "/srv/c.cfg", "/srv/-x", "/srv/d.cfg")


def test_only_what_a_check_must_get_is_in_the_rest() -> None:
    got = line(
        "haproxy -sf 12 13 -x sockpair@3 -D -W -db -q -V -d -p p.pid -C /srv -n 100 -m 64 -N 20 -L peer1 -dr -dV -dM0x50"
        " -de -f a -st 4"
    )
    assert got.rest == ("-W", "-n", "100", "-m", "64", "-N", "20", "-L", "peer1", "-dr", "-dV", "-dM0x50", "-de")


def test_the_command_keeps_all_but_what_a_reload_added() -> None:
    words = "haproxy -D -x /run/a.sock -p p.pid -dt h1 -f a.cfg -- b.cfg"
    assert line(f"haproxy -sf 12 13 -x sockpair@3 {words.removeprefix('haproxy ')}").command == tuple(words.split())
    assert line(words.replace("-D", "-st 5 -D")).command == tuple(words.split())


@pytest.mark.parametrize(
    ("given", "address", "endpoint"),
    [
        ("/run/m.sock", "/run/m.sock", Endpoint(path="/run/m.sock")),
        ("/run/m.sock,level,admin,mode,600", "/run/m.sock", Endpoint(path="/run/m.sock")),
        ("unix@/run/m.sock,uid,1", "/run/m.sock", Endpoint(path="/run/m.sock")),
        ("unix@m.sock", "/srv/m.sock", Endpoint(path="/srv/m.sock")),
        ("127.0.0.1:9999", "127.0.0.1:9999", Endpoint("127.0.0.1", 9999)),
        ("ipv4@*:9999,level,user", "ipv4@*:9999", Endpoint("127.0.0.1", 9999)),
        (":9999", ":9999", Endpoint("127.0.0.1", 9999)),
        ("ipv6@[::1]:9999", "ipv6@[::1]:9999", Endpoint("::1", 9999)),
        (":::9999", ":::9999", Endpoint("::1", 9999)),
        ("abns@master", "abns@master", None),
        ("sockpair@4", "sockpair@4", None),
    ],
)
def test_the_master_socket(given: str, address: str, endpoint: Endpoint | None) -> None:
    got = line(f"haproxy -W -S {given} -f a")
    assert got.master_socket == address
    assert got.master_endpoint == endpoint


def test_without_a_master_socket_there_is_none() -> None:
    assert line("haproxy -W -f a").master_endpoint is None
    assert socket_address("localhost:http") is None


def test_whom_a_process_has_told_to_finish() -> None:
    assert replaced(["haproxy", "-sf", "12", "13", "-x", "sockpair@3", "-W", "-f", "14"]) == {12, 13}
    assert replaced(["haproxy", "-f", "a", "-st", "7 8", "-D"]) == {7, 8}
    assert replaced(["haproxy", "-f", "-sf", "9"]) == frozenset()


@pytest.mark.parametrize("words", [["-f"], ["-S"], ["-"], [""], ["-sf"], ["--"], ["-C", "-f"], ["", "", ""]])
def test_an_odd_command_line_is_read_to_its_end(words: list[str]) -> None:
    assert [word for flag, values in options(words) for word in (flag, *values)] == words
    parse(["haproxy", *words], "/")


# the program


def test_the_version_and_what_is_compiled_in(haproxy_binary: str) -> None:
    build = haproxy_process.version(haproxy_binary)
    shown = subprocess.run([haproxy_binary, "-v"], capture_output=True, text=True, check=True, timeout=10).stdout
    assert f"version {build.text} " in shown
    assert build.text.startswith(".".join(map(str, build.version)))
    assert build.version >= (2, 0)
    assert "EPOLL" in build.features
    assert "KQUEUE" not in build.features


def test_versions_as_numbers() -> None:
    assert haproxy_process.numbers("2.6.12-1+deb12u4") == (2, 6, 12)
    assert haproxy_process.numbers("3.2-dev5") == (3, 2)
    assert haproxy_process.numbers("dev") == ()


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_features_of_an_old_version_come_from_its_build_options(tmp_path: Path) -> None:
    says = "HA-Proxy version 1.8.30 2021/04/12\nBuild options :\n  OPTIONS = USE_OPENSSL=1 USE_LUA=1 USE_ZLIB=0"
    build = haproxy_process.version(program(tmp_path / "haproxy", f"cat <<E\n{says}\nE"))
    assert build == haproxy_process.Build((1, 8, 30), frozenset({"OPENSSL", "LUA"}), "1.8.30")


@pytest.mark.parametrize("does", ["echo hello", "echo HAProxy version 2.6; exit 3"])
def test_a_program_that_is_no_haproxy_is_told(tmp_path: Path, does: str) -> None:
    with pytest.raises(UsageError, match="does not answer as HAProxy does"):
        haproxy_process.version(program(tmp_path / "haproxy", does))


def test_the_program_is_found(haproxy_binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert haproxy_process.find_binary(haproxy_binary) == haproxy_binary
    monkeypatch.setenv("PATH", os.path.dirname(haproxy_binary))
    assert haproxy_process.find_binary() == haproxy_binary
    with pytest.raises(UsageError, match="not found: /nowhere/haproxy") as caught:
        haproxy_process.find_binary("/nowhere/haproxy")
    assert "apt-get install haproxy" in caught.value.next_step
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(haproxy_process, "PLACES", ())
    with pytest.raises(UsageError, match="not found on this machine"):
        haproxy_process.find_binary()


# what runs


def test_a_master_with_its_worker(place: World) -> None:
    place.write()
    instance = place.master("-p", "h.pid", env={"COLOUR": "blue"})
    assert place.instances() == [instance]
    assert instance.master
    assert instance.process.pid == place.children[0].pid
    assert instance.binary == os.path.realpath(place.binary)
    assert instance.arguments.files == (str(place.conf),)
    assert instance.arguments.pidfile == str(place.folder / "h.pid")
    assert instance.arguments.master_socket == place.master_socket
    assert instance.environment["COLOUR"] == "blue"
    workers = haproxy_process.workers(instance)
    assert [p.pid for p in workers.current] == [place.answering()]
    assert workers.old == ()


def test_what_a_master_tells_itself_is_not_in_the_environment(place: World) -> None:
    place.write()
    instance = place.master()
    raw = proc.environment(instance.process.pid)
    assert raw.keys() >= {"HAPROXY_MWORKER_REEXEC", "HAPROXY_PROCESSES"}
    assert not haproxy_process.INTERNAL & instance.environment.keys()
    assert instance.environment["HAPROXY_MWORKER"] == "1"


def test_a_master_by_its_config_alone(place: World) -> None:
    place.write(extra="master-worker")
    instance = place.start("-f", str(place.conf))
    assert instance.master
    assert [p.pid for p in haproxy_process.workers(instance).current] == [place.answering()]


def test_after_a_reload_it_is_the_same_master_with_other_workers(place: World) -> None:
    place.write()
    instance = place.master()
    before = haproxy_process.workers(instance).current
    with place.held():
        signals.send(instance.process, signals.number("USR2"))
        assert eventually(lambda: haproxy_process.workers(instance).old == before)
        assert eventually(lambda: place.master_answers(instance))
        (now,) = place.instances()
        assert now.process == instance.process
        assert now.arguments == instance.arguments
        (new,) = haproxy_process.workers(instance).current
        assert proc.title(new.pid).split()[1:3] == ["-sf", str(before[0].pid)]
    assert ended(before[0])
    assert haproxy_process.workers(instance) == ((new,), ())


def test_a_reload_is_counted(place: World) -> None:
    place.write()
    instance = place.master()
    assert haproxy_process.reloads(instance.process) == (0, 0, False)
    place.conf.write_text("nonsense")
    signals.send(instance.process, signals.number("USR2"))
    assert eventually(lambda: haproxy_process.reloads(instance.process) == (1, 1, False))
    assert haproxy_process.reloads(ProcessId(os.getpid(), 0)) is None


def test_a_master_that_loads_would_lose_a_signal(place: World) -> None:
    place.write()
    instance = place.start("-W", "-f", str(place.conf))
    assert eventually(lambda: haproxy_process.heeds_signals(instance.process))
    good = place.conf.read_text()
    place.conf.unlink()
    os.mkfifo(place.conf)  # HAProxy loads until somebody writes into it
    signals.send(instance.process, signals.number("USR2"))
    assert eventually(lambda: haproxy_process.reloads(instance.process) == (1, 0, True))
    assert not haproxy_process.heeds_signals(instance.process)
    place.conf.write_text(good)
    assert eventually(lambda: haproxy_process.heeds_signals(instance.process))
    assert haproxy_process.reloads(instance.process) == (1, 0, False)


def test_a_process_that_is_gone_heeds_no_signal() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert not haproxy_process.heeds_signals(ProcessId(child.pid, 0))


def test_a_pid_that_was_used_again_is_not_taken_for_an_old_worker() -> None:
    def seen(pid: int, start: int, *words: str) -> haproxy_process._Seen:
        return haproxy_process._Seen(ProcessId(pid, start), 1, ("haproxy", *words), "/usr/sbin/haproxy")

    worker = seen(20, 100, "-sf", "10", "-f", "a")
    assert haproxy_process._replaces(worker, seen(10, 50, "-f", "a"))
    assert not haproxy_process._replaces(worker, seen(10, 200, "-f", "a"))
    assert not haproxy_process._replaces(worker, seen(11, 50, "-f", "a"))


def test_a_plain_process(place: World) -> None:
    place.write()
    instance = place.start("-D", "-f", "haproxy.cfg", "-p", str(place.folder / "h.pid"))
    assert not instance.master
    assert instance.process.pid == int((place.folder / "h.pid").read_text())
    assert instance.arguments.files == (str(place.conf),)
    assert haproxy_process.workers(instance) == ((instance.process,), ())


def test_an_old_plain_process_is_no_instance(place: World) -> None:
    place.write()
    first = place.start("-D", "-f", str(place.conf))
    with place.held():
        second = place.start("-D", "-f", str(place.conf), "-sf", str(first.process.pid))
        assert place.instances() == [second]
        assert proc.alive(first.process)
        assert haproxy_process.workers(second) == ((second.process,), (first.process,))
        assert haproxy_process.workers(first) == haproxy_process.workers(second)
    assert ended(first.process)
    assert haproxy_process.workers(second).old == ()


def test_two_instances_are_told_apart(place: World) -> None:
    place.write()
    a = place.start("-D", "-f", str(place.conf))
    (place.folder / "b").mkdir()
    with world(place.folder / "b", place.binary) as other:
        other.write()
        b = other.start("-D", "-f", str(other.conf))
        assert {i.process for i in place.instances()} == {a.process, b.process}
        assert haproxy_process.workers(a).current == (a.process,)
        assert haproxy_process.workers(b) == ((b.process,), ())


def test_several_files_a_folder_and_the_folder_of_c(place: World) -> None:
    (place.folder / "sub" / "conf.d").mkdir(parents=True)
    place.write("sub/conf.d/a.cfg")
    (place.folder / "sub" / "more.cfg").write_text("backend more\n")
    instance = place.start("-D", "-C", "sub", "-f", "conf.d", "-f", "more.cfg", "-dr")
    assert instance.arguments.folder == str(place.folder / "sub")
    assert instance.arguments.files == tuple(str(place.folder / "sub" / n) for n in ("conf.d", "more.cfg"))
    assert instance.arguments.rest == ("-dr",)


def test_a_master_in_the_folder_of_c(place: World) -> None:
    place.write()
    instance = place.start("-W", "-C", str(place.folder), "-f", "haproxy.cfg", cwd=Path("/"))
    assert instance.arguments.files == (str(place.conf),)
    assert instance.arguments.folder == str(place.folder)


@pytest.mark.root
def test_relative_files_of_a_plain_process_in_a_chroot(place: World) -> None:
    (place.folder / "jail").mkdir()
    place.write(extra=f"chroot {place.folder}/jail")
    instance = place.start("-D", "-f", "haproxy.cfg", env={"PWD": str(place.folder)})
    assert proc.link(instance.process.pid, "root") == str(place.folder / "jail")
    assert instance.arguments.files == (str(place.conf),)
    assert instance.arguments.folder == str(place.folder)


def test_one_that_only_checks_is_no_instance(place: World) -> None:
    fifo = place.folder / "waits.cfg"
    os.mkfifo(fifo)  # HAProxy waits for somebody who writes
    child = place.spawn("-c", "-f", str(fifo))
    assert eventually(lambda: proc.title(child.pid).endswith("waits.cfg"))
    assert place.instances() == []


def test_another_program_with_such_arguments_is_no_instance(place: World) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "haproxy", "-f", str(place.conf)])
    place.children.append(child)
    assert eventually(lambda: proc.title(child.pid).endswith("haproxy.cfg"))
    assert place.instances() == []


def test_a_program_with_a_version_in_its_name(place: World) -> None:
    named = place.folder / "haproxy-2.6"
    shutil.copy(place.binary, named)
    place.binary = str(named)
    place.write()
    assert place.start("-W", "-f", str(place.conf)).binary == str(named)


def test_after_an_upgrade_the_new_program_is_named(place: World) -> None:
    named = place.folder / "haproxy"
    shutil.copy(place.binary, named)
    place.binary = str(named)
    place.write()
    instance = place.start("-W", "-f", str(place.conf))
    named.unlink()
    shutil.copy("/bin/true", named)
    (now,) = place.instances()
    assert proc.link(instance.process.pid, "exe").endswith(" (deleted)")
    assert now.binary == str(named)


@pytest.mark.parametrize("name", ["haproxy", "haproxy28", "haproxy-3.0.5", "haproxy2.8"])
def test_names_of_the_program(name: str) -> None:
    assert haproxy_process.NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["haproxy_exporter", "haproxy-systemd-wrapper", "haproxy-ingress-controller", "nginx", ""])
def test_names_that_are_not_it(name: str) -> None:
    assert not haproxy_process.NAME.fullmatch(name)


@pytest.mark.root
def test_an_ordinary_user_finds_roots_haproxy_but_not_its_environment(place: World) -> None:
    place.write()
    instance = place.master()
    (found,) = [i for i in as_user("nobody", haproxy_process.instances) if i.process == instance.process]
    assert found.arguments.files == (str(place.conf),)
    assert found.environment == {}
    assert found.master
    assert as_user("nobody", lambda: haproxy_process.workers(found)) == haproxy_process.workers(instance)


@pytest.mark.root
def test_root_finds_an_ordinary_users_haproxy(haproxy_binary: str) -> None:
    with tempfile.TemporaryDirectory() as name, world(Path(name), haproxy_binary, "nobody") as place:
        place.write()
        shutil.chown(place.folder, "nobody")
        instance = place.master()
        assert proc.owner(instance.process.pid) != 0
        assert "PATH" in instance.environment


def test_who_takes_connections(place: World) -> None:
    place.write()
    instance = place.master()
    (worker,) = haproxy_process.workers(instance).current
    assert haproxy_process.accepts(worker) is True
    place.stop()
    assert haproxy_process.accepts(worker) is False


@pytest.mark.root
def test_an_ordinary_user_may_not_know_who_takes_connections() -> None:
    assert as_user("nobody", lambda: haproxy_process.accepts(ProcessId(os.getppid(), 0))) is None


# systemd


def test_the_service_of_a_process() -> None:
    v2 = "0::/system.slice/haproxy.service\n"
    v1 = "12:pids:/system.slice/other.service\n1:name=systemd:/system.slice/system-haproxy.slice/haproxy@lb1.service\n0::/\n"
    assert haproxy_process.unit_in(v2) == "haproxy.service"
    assert haproxy_process.unit_in(v1) == "haproxy@lb1.service"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0::/\n",
        "0::/user.slice/user-1000.slice/session-3.scope\n",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/haproxy.service\n",
        "0::/system.slice/docker-0123456789abcdef.scope\n",
        "0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:0123\n",
        "4:memory:/system.slice/haproxy.service\n",
        "nonsense\n",
    ],
)
def test_no_service_that_could_be_told_to_reload(text: str) -> None:
    assert haproxy_process.unit_in(text) == ""


def test_the_service_of_a_process_that_is_gone() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert haproxy_process.unit_of(ProcessId(child.pid, 0)) == ""


def test_the_service_is_read_from_the_process() -> None:
    own = ProcessId(os.getpid(), 0)
    assert haproxy_process.unit_of(own) == haproxy_process.unit_in(files.read_text(f"/proc/{own.pid}/cgroup"))
