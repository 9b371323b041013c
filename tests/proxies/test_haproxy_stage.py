"""A candidate is tested by HAProxy itself: what it refuses, what it only warns about, and that no live file is touched."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.conf.haproxy.config import expand
from proxyswitch.errors import UsageError
from proxyswitch.model import Problem
from proxyswitch.proxies import haproxy_process, haproxy_stage
from proxyswitch.proxies.base import Rejected
from proxyswitch.proxies.haproxy_arguments import Arguments, parse
from proxyswitch.proxies.haproxy_stage import Message, Stage, judge, messages
from proxyswitch.system.run import Result
from tests.proxies.haproxy_world import World, as_user, world


@pytest.fixture
def place(tmp_path: Path, haproxy_binary: str) -> Iterator[World]:
    with world(tmp_path, haproxy_binary) as made:
        yield made


def stage(place: World, *paths: Path, words: str = "", env: dict[str, str] | None = None) -> Stage:
    arguments = parse(["haproxy", *words.split()], str(place.folder))
    return Stage([str(path) for path in paths or [place.conf]], place.binary, arguments, env or {})


def changed(path: Path, old: str, new: str) -> dict[str, bytes]:
    """The candidate in which `new` stands for `old`, which must be there."""
    text = path.read_text()
    assert old in text
    return {os.path.realpath(path): text.replace(old, new).encode()}


def test(place: World, made: Stage, candidate: dict[str, bytes]) -> list[Problem]:
    """Test it, and see that the folder is as before."""
    before = snapshot(place.folder)
    try:
        return judge(made.test(candidate), made)
    finally:
        assert snapshot(place.folder) == before


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(place: World, made: Stage, candidate: dict[str, bytes]) -> Rejected:
    with pytest.raises(Rejected) as caught:
        test(place, made, candidate)
    assert caught.value.exit_code == 3
    assert "proxyswitch" not in "".join(caught.value.lines())
    return caught.value


test.__test__ = False  # type: ignore[attr-defined]


# accepted


def test_a_good_candidate_passes(place: World) -> None:
    place.write()
    assert test(place, stage(place), changed(place.conf, "server blue", "server green")) == []


def test_the_candidate_is_tested_and_not_the_live_file(place: World) -> None:
    place.write()
    good = place.conf.read_bytes()
    place.conf.write_text("nonsense")
    assert test(place, stage(place), {str(place.conf): good}) == []


def test_the_twin_is_there_while_it_is_tested_and_gone_afterwards(place: World) -> None:
    place.write()
    seen: list[str] = []
    made = stage(place)
    made.test(changed(place.conf, "blue", "green"), lambda: seen.extend(os.listdir(place.folder)))
    twin = next(name for name in seen if name.startswith(".haproxy.cfg.proxyswitch-"))
    assert sorted(seen) == sorted([twin, "haproxy.cfg"])
    assert os.listdir(place.folder) == ["haproxy.cfg"]


def test_the_twin_is_gone_when_the_work_beside_it_fails(place: World) -> None:
    place.write()

    def fail() -> None:
        raise UsageError("the difference is another than the wanted one")

    with pytest.raises(UsageError, match="another than"):
        stage(place).test(changed(place.conf, "blue", "green"), fail)
    assert os.listdir(place.folder) == ["haproxy.cfg"]


def test_a_twin_in_a_folder_that_haproxy_loads_is_not_loaded_by_it(place: World) -> None:
    place.write("a.cfg")
    made = stage(place, place.folder / "a.cfg")
    ended: list[int] = []

    def load_the_folder() -> None:
        other = place.spawn("-c", "-f", str(place.folder))
        ended.append(other.wait(30))

    made.test({str(place.folder / "a.cfg"): b"nonsense"}, load_the_folder)
    assert ended == [0]


def test_the_other_files_are_tested_with_it_in_their_order(place: World) -> None:
    place.write("1.cfg")
    (place.folder / "2.cfg").write_text("backend other\n    server s 127.0.0.1:1\n")
    made = stage(place, place.folder / "1.cfg", place.folder / "2.cfg")
    assert test(place, made, changed(place.folder / "1.cfg", "default_backend app", "default_backend other")) == []
    error = refused(place, made, changed(place.folder / "2.cfg", "backend other", "frontend web"))
    assert error.path == str(place.folder / "2.cfg")


def test_several_changed_files(place: World) -> None:
    place.write("1.cfg")
    (place.folder / "2.cfg").write_text("backend other\n")
    made = stage(place, place.folder / "1.cfg", place.folder / "2.cfg")
    both = changed(place.folder / "1.cfg", "default_backend app", "default_backend new")
    both |= changed(place.folder / "2.cfg", "backend other", "backend new")
    assert test(place, made, both) == []


def test_a_folder_is_expanded_as_haproxy_does(place: World) -> None:
    folder = place.folder / "conf.d"
    folder.mkdir()
    for name in ("b.cfg", "a.cfg", "B.cfg", ".hidden.cfg", "c.cfg.bak", "ä.cfg"):
        (folder / name).write_text("\n")
    (folder / "folder.cfg").mkdir()
    names = [os.path.relpath(path, folder) for path in expand([str(folder), "/x/y"])]
    assert names[:-1] == ["B.cfg", "a.cfg", "b.cfg", "ä.cfg"]
    assert expand(["/x/y"]) == ["/x/y"]


def test_the_order_of_a_folder_is_that_of_haproxy_itself(place: World) -> None:
    folder = place.folder / "conf.d"
    folder.mkdir()
    for name in ("b.cfg", "a.cfg", "B.cfg", ".hidden.cfg"):
        (folder / name).write_text("nonsense\n")
    place.spawn("-c", "-f", str(folder)).wait(30)
    loaded = [os.path.basename(m.path) for m in messages(place.log)]
    assert [os.path.basename(path) for path in expand([str(folder)])] == list(dict.fromkeys(loaded))


@pytest.mark.root
def test_a_folder_that_may_not_be_read_is_told() -> None:
    with pytest.raises(AssertionError, match=r"UsageError.*cannot read this folder"):
        as_user("nobody", lambda: expand(["/root"]))


@pytest.mark.parametrize("file", ["errorfile", "map", "errorfile-by-link"])
def test_relative_names_count_from_the_folder_of_the_config(place: World, file: str) -> None:
    """`default-path config`: the folder of the name that HAProxy was given, which can be a link."""
    folder = place.folder / "etc"
    folder.mkdir()
    (folder / "503.http").write_bytes(b"HTTP/1.0 503 No\r\n\r\n")
    (folder / "hosts.map").write_text("a app\n")
    name = "hosts.map" if file == "map" else "503.http"
    line = f"http-request set-header x %[hdr(host),map({name})]" if file == "map" else f"errorfile 503 {name}"
    conf = place.write("etc/haproxy.cfg", extra="default-path config", more=f"frontend more\n  bind :1\n  {line}\n")
    if file == "errorfile-by-link":
        (place.folder / "real").mkdir()
        conf.rename(place.folder / "real" / "haproxy.cfg")
        conf.symlink_to(place.folder / "real" / "haproxy.cfg")
    made = stage(place, conf)
    assert made.as_it_is().ok
    assert test(place, made, changed(conf, "server blue", "server green")) == []
    assert "other.name" in refused(place, made, changed(conf, name, "other.name")).what


def test_relative_names_count_from_the_working_folder(place: World) -> None:
    (place.folder / "503.http").write_bytes(b"HTTP/1.0 503 No\r\n\r\n")
    place.write(more="frontend more\n  bind :1\n  errorfile 503 503.http\n")
    assert test(place, stage(place), changed(place.conf, "blue", "green")) == []


def test_variables_of_the_running_process_are_known(place: World) -> None:
    place.write(more='backend b\n  server s "${APP_HOST}"\n')
    candidate = changed(place.conf, "blue", "green")
    assert "APP_HOST" not in os.environ
    assert "'server' expects <name> and <addr>" in refused(place, stage(place), candidate).what
    instance = place.start("-W", "-f", str(place.conf), env={"APP_HOST": "127.0.0.1:1"})
    assert test(place, stage(place, env=dict(instance.environment)), candidate) == []


def test_the_environment_of_a_master_that_has_reloaded_does_not_confuse_the_test(place: World) -> None:
    place.write()
    instance = place.master()
    made = stage(place, env=dict(instance.environment))
    assert test(place, made, changed(place.conf, "blue", "green")) == []
    assert place.master_answers(instance)


def test_the_other_options_are_given_too(place: World) -> None:
    place.write(more="backend b\n  server s no.such.name.invalid:1\n")
    candidate = changed(place.conf, "blue", "green")
    assert "could not resolve" in refused(place, stage(place), candidate).what
    problems = test(place, stage(place, words="-q -f x -D -dr -n 50"), candidate)
    assert problems == []


def test_a_program_section_needs_the_master_mode(place: World) -> None:
    place.write(more="program p\n  command /bin/true\n")
    candidate = changed(place.conf, "blue", "green")
    assert "without master worker mode" in refused(place, stage(place, words="-D -f x"), candidate).what
    assert test(place, stage(place, words="-Ws -f x"), candidate) == []


@pytest.mark.root
def test_an_ordinary_user_can_test(haproxy_binary: str) -> None:
    with tempfile.TemporaryDirectory() as name, world(Path(name), haproxy_binary) as place:
        place.write(extra="user root\n    chroot /var/empty")
        place.conf.chmod(0o644)
        shutil.chown(place.folder, "nobody")
        candidate = changed(place.conf, "blue", "green")
        assert as_user("nobody", lambda: test(place, stage(place), candidate)) == []
        assert as_user("nobody", lambda: refused(place, stage(place), {str(place.conf): b"nonsense"}).line) == 1


@pytest.mark.root
def test_a_folder_where_no_twin_can_be_written_is_told(haproxy_binary: str) -> None:
    with tempfile.TemporaryDirectory() as name, world(Path(name), haproxy_binary) as place:
        place.write()
        place.folder.chmod(0o755)
        with pytest.raises(AssertionError, match=r"UsageError.*cannot write the copy that HAProxy is to test"):
            as_user("nobody", lambda: stage(place).test({str(place.conf): b""}))


# refused


def test_a_refusal_names_the_persons_file_and_line(place: World) -> None:
    place.write()
    error = refused(place, stage(place), changed(place.conf, "server blue", "serverr blue"))
    assert (error.path, error.line) == (str(place.conf), 14)
    assert error.what.startswith(f"{place.conf}:14:1: HAProxy refuses the config: unknown keyword 'serverr'")
    assert error.state == "nothing was changed"


def test_several_errors_are_all_told(place: World) -> None:
    place.write()
    error = refused(place, stage(place), changed(place.conf, "mode http", "modee http\n  modeee http"))
    assert "modee" in error.what
    assert f"{place.conf}:6: unknown keyword 'modeee'" in error.what
    many = changed(place.conf, "mode http", "\n".join(["mode http", *[f"x{n} y" for n in range(9)]]))
    assert refused(place, stage(place), many).what.endswith("; and 5 more")


def test_a_backend_that_is_not_there_has_no_line(place: World) -> None:
    place.write()
    error = refused(place, stage(place), changed(place.conf, "default_backend app", "default_backend none"))
    assert "unable to find required default_backend: 'none'" in error.what
    assert error.line == 0


def test_a_config_that_would_not_start_is_refused(place: World) -> None:
    """HAProxy finds no error in it, and ends with status 2."""
    place.write()
    error = refused(place, stage(place), {str(place.conf): b"defaults\n  timeout connect 1s\n"})
    assert "will not start (no listener)" in error.what


@pytest.mark.parametrize("data", [b"", b"\n", b"global\n", b"\0\xff\n"])
def test_an_empty_or_broken_file_is_refused(place: World, data: bytes) -> None:
    place.write()
    assert "HAProxy refuses the config" in refused(place, stage(place), {str(place.conf): data}).what


def test_an_alert_with_exit_status_0_is_a_refusal(place: World) -> None:
    place.write(extra="maxconn 100")
    candidate = changed(place.conf, "maxconn 100", "maxconn 100\n    maxconn 200")
    assert stage(place).test(candidate).code == 0
    error = refused(place, stage(place), candidate)
    assert "'maxconn' already specified" in error.what
    assert error.line == 4


def test_an_alert_that_the_config_had_already_is_told_and_no_more(place: World) -> None:
    place.write(extra="maxconn 100\n    maxconn 200")
    (problem,) = test(place, stage(place), changed(place.conf, "global", "# a line more\nglobal"))
    assert "the config as it is" in problem.what
    assert "'maxconn' already specified" in problem.what
    candidate = changed(place.conf, "maxconn 200", "maxconn 200\n    maxconn 300")
    assert "HAProxy refuses" in refused(place, stage(place), candidate).what


# warnings

ODD = "frontend old\n    mode tcp\n    bind :1\n    option forwardfor\n"


def test_a_new_warning_is_told(place: World) -> None:
    place.write()
    candidate = {str(place.conf): place.conf.read_bytes() + ODD.encode()}
    (problem,) = test(place, stage(place), candidate)
    assert problem.what.startswith("HAProxy warns about the new config: ")
    assert "forwardfor" in problem.what


def test_a_warning_that_was_there_is_not_told_again_though_its_line_moves(place: World) -> None:
    place.write(more=ODD)
    assert test(place, stage(place), changed(place.conf, "global", "# a\n# b\nglobal")) == []
    again = {str(place.conf): place.conf.read_bytes() + ODD.replace("old", "older").encode()}
    (problem,) = test(place, stage(place), again)
    assert "older" in problem.what


def test_without_warnings_the_config_as_it_is_is_not_tested(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write()
    monkeypatch.setattr(Stage, "as_it_is", lambda self: pytest.fail("tested for nothing"))
    assert test(place, stage(place), changed(place.conf, "blue", "green")) == []


def test_a_warning_is_a_refusal_where_the_person_wants_it_so(place: World) -> None:
    place.write()
    candidate = {str(place.conf): place.conf.read_bytes() + ODD.encode()}
    assert "zero-warning" in refused(place, stage(place, words="-dW -f x"), candidate).what


# the judge, on recorded words


def recorded(err: str, code: int = 0, *, timed_out: bool = False) -> tuple[Result, Stage]:
    made = Stage(["/etc/h.cfg"], "haproxy", Arguments(), {})
    made.names = {"/etc/.h.cfg.proxyswitch-7-test": "/etc/h.cfg"}
    return Result(code, "", err, 1.0, timed_out), made


def test_messages_of_old_and_new_versions() -> None:
    old = "[WARNING] 327/222156 (1631) : parsing [/etc/h.cfg:3] : 'x' is deprecated.\n"
    new = (
        "[NOTICE]   (1) : haproxy version is 2.6.12\n[ALERT]    (1) : config : parsing [/etc/h.cfg:4]: 'y'.\n  y z\n    ^\n"
    )
    assert list(messages(old + new)) == [
        Message("WARNING", "'x' is deprecated.", "/etc/h.cfg", 3),
        Message("ALERT", "'y'.", "/etc/h.cfg", 4),
    ]
    assert list(messages("[ALERT]    (1) : [haproxy.main()] Cannot raise FD limit.")) == [
        Message("ALERT", "[haproxy.main()] Cannot raise FD limit.")
    ]
    assert list(messages("[ALERT]    (1) : config : Fatal errors found in configuration.\nnonsense\n")) == []


def test_a_check_that_never_ends_is_a_refusal() -> None:
    with pytest.raises(Rejected, match="did not end within 1 s"):
        judge(*recorded("", -9, timed_out=True))


def test_a_check_that_says_nothing_is_a_refusal() -> None:
    with pytest.raises(Rejected, match="ended with status 1"):
        judge(*recorded("", 1))


def test_words_without_a_level_are_shown_as_they_are() -> None:
    with pytest.raises(Rejected, match="cannot open shared object"):
        judge(*recorded("haproxy: cannot open shared object in /etc/.h.cfg.proxyswitch-7-test\n", 127))


def test_a_program_that_is_not_there_is_told(place: World) -> None:
    place.write()
    place.binary = "/nowhere/haproxy"
    with pytest.raises(UsageError, match="cannot run /nowhere/haproxy"):
        stage(place).test(changed(place.conf, "blue", "green"))
    assert os.listdir(place.folder) == ["haproxy.cfg"]


def test_a_working_folder_that_is_gone_does_not_stop_the_test(place: World) -> None:
    place.write()
    made = Stage([str(place.conf)], place.binary, Arguments(folder="/nowhere"), {})
    assert judge(made.test(changed(place.conf, "blue", "green")), made) == []


def test_a_time_limit_is_set() -> None:
    assert Stage([], "haproxy", Arguments(), {}).command([]).timeout == haproxy_stage.TIMEOUT
    assert haproxy_process.INSTALL
