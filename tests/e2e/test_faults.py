"""Bad input and faults: one clear message, the documented exit code, and nothing half-done."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from tests.e2e.support import LIMIT, POOLS, Bench, Run, eventually

NEW = "127.0.0.1:3002"  # nothing must ever be sent there


def refused(place: Bench, *words: str, code: int = 2) -> str:
    """Run it; it must end with that code, change nothing, and say why in one message. Returns the message."""
    with place.nothing_done():
        result = place.run(*words)
    assert result.code == code, result
    assert result.out == ""
    assert "Traceback" not in result.err
    assert place.version() == "1"
    return result.err


def wrapper(place: Bench, during_test: str) -> None:
    """An nginx that does something else as well while it tests a config, as a person could at that moment."""
    program = place.folder / "bin" / "nginx"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncase " $* " in *" -t "*) {during_test} ;; esac\nexec /usr/sbin/nginx "$@"\n')
    program.chmod(0o755)
    place.settings(f'[nginx]\nbinary = "{program}"\n')


# words that cannot be used


def test_a_missing_pool_is_guessed(running: Bench) -> None:
    assert "no pool 'app_backnd'" in (said := refused(running, "switch", "app_backnd", NEW))
    assert "did you mean 'app_backend'?" in said


def test_a_missing_pool_that_is_like_no_other_lists_what_is_there(running: Bench) -> None:
    assert "there is app_backend" in refused(running, "switch", "xyz", NEW)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("127.0.0.1:99999", "port 99999 is out of range (1 to 65535)"),
        ("127.0.0.1:0", "port 0 is out of range"),
        ("127.0.0.1:http", "'http' is no port number"),
        ("127.0.0.1", "the port is missing"),
        ("3002", "did you mean 127.0.0.1:3002?"),
        ("127.0.0.300:80", "is no IPv4 address"),
        ("::1:3002", "put an IPv6 address in brackets"),
        ("[::1:3002", "an IPv6 address is written [::1]:3001"),
        ("unix:app.sock", "a unix socket needs an absolute path"),
        ("unix:/run/app.sock;", "must not contain spaces, quotes"),
        ("a b:80", "expected host:port"),
        ("127.0.0.1:3002; }", "is no port number"),
        ("", "is no address"),
    ],
)
def test_a_target_that_is_no_address_is_explained(running: Bench, target: str, reason: str) -> None:
    assert reason in refused(running, "switch", "app_backend", target)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("switch", "app_backend", NEW, "--bogus"), "No such option: --bogus"),
        (("switch", "app_backend", NEW, "--drain", "5x"), "'5x' is no duration"),
        (("switch", "app_backend", NEW, "--mode", "magic"), "--mode magic"),
        (("switch", "app_backend"), "Missing argument"),
        (("set", "app_backend", "drain"), "'app_backend' names no server"),
        (("set", "app_backend/127.0.0.1:1", "drain"), "no server '127.0.0.1:1' in the pool app_backend"),
        (("set", "app_backend/127.0.0.1:1", "asleep"), "'asleep' is not one of"),
        (("weight", "app_backend", "127.0.0.1:1"), "expected SERVER=N"),
        (("weight", "app_backend", "127.0.0.1:1=-1"), "expected SERVER=N"),
        (("switch", "nginx:app_backnd", NEW), "did you mean 'app_backend'?"),
        (("swich", "app_backend", NEW), "Did you mean 'switch'?"),
    ],
)
def test_wrong_words_are_named(running: Bench, words: tuple[str, ...], reason: str) -> None:
    assert reason in refused(running, *words)


def test_wrong_settings_are_named_by_their_key(running: Bench) -> None:
    running.settings("[nginx]\nbinry = 'nginx'\n")
    said = refused(running, "switch", "app_backend", NEW)
    assert "binry" in said
    assert "binary" in said


def test_the_last_server_cannot_be_taken_out(running: Bench) -> None:
    server = running.run("get", "app_backend").out.strip()
    for words in (("set", f"app_backend/{server}", "maint"), ("weight", "app_backend", f"{server}=0")):
        assert "would leave app_backend without a live server" in refused(running, *words)


# configs that cannot be used


def test_a_config_that_does_not_parse_is_shown_by_line_and_column(running: Bench) -> None:
    running.pools.write_text(running.pools.read_text().replace("}", 'server "127.0.0.1:1;\n}'))
    said = refused(running, "switch", "app_backend", NEW)
    assert re.search(rf"{running.pools}:\d+:\d+: ", said), said


def test_what_nginx_refuses_is_shown_at_the_line_of_the_person(running: Bench) -> None:
    running.pools.write_text("bogus on;\n" + running.pools.read_text())
    said = refused(running, "switch", "app_backend", NEW, code=3)
    assert f'{running.pools}:1:1: nginx refuses the config: unknown directive "bogus"' in said


def test_what_nginx_refuses_in_the_main_file_is_shown_there_too(running: Bench) -> None:
    running.conf.write_text("bogus on;\n" + running.conf.read_text())
    said = refused(running, "switch", "app_backend", NEW, code=3)
    assert f'{running.conf}:1:1: nginx refuses the config: unknown directive "bogus"' in said


def test_lines_that_two_pools_share_are_not_edited(running: Bench) -> None:
    (running.folder / "servers.inc").write_text(f"server {running.run('get', 'app_backend').out.strip()};\n")
    running.pools.write_text("upstream app_backend { include servers.inc; }\nupstream other { include servers.inc; }\n")
    said = refused(running, "switch", "app_backend", NEW)
    assert "the server lines of app_backend are shared with the pool other" in said


def test_an_include_that_includes_itself_is_refused(running: Bench) -> None:
    running.pools.write_text(running.pools.read_text() + "include pools.conf;\n")
    assert str(running.pools) in refused(running, "switch", "app_backend", NEW)


# no nginx


def test_without_a_running_nginx_the_file_is_edited_and_tested(place: Bench) -> None:
    place.write(1)
    result = place.run("switch", "app_backend", NEW)
    assert result.code == 0, result.err
    assert "nginx does not run" in result.err
    assert place.run("get", "app_backend").out == f"{NEW}\n"
    assert place.run("switch", "app_backend", NEW, "--json").json["changed"] is False


def test_without_a_running_nginx_a_bad_config_is_refused_as_well(place: Bench) -> None:
    place.write(1, pools="bogus on;\n" + POOLS)
    before = place.files()
    result = place.run("switch", "app_backend", NEW)
    assert (result.code, place.files()) == (3, before)
    assert 'unknown directive "bogus"' in result.err


def test_without_nginx_it_is_said_how_to_get_it(place: Bench) -> None:
    place.write(1)
    place.settings('[nginx]\nbinary = "/nowhere/nginx"\n')
    before = place.files()
    result = place.run("switch", "app_backend", NEW, env={"PATH": ""})
    assert (result.code, place.files(), place.journals) == (2, before, [])
    assert "nginx was not found: /nowhere/nginx" in result.err
    assert "apt-get install nginx" in result.err


# somebody else edits


def test_an_edit_that_comes_while_we_test_is_kept(running: Bench) -> None:
    mark = running.folder / "edited"
    wrapper(running, f"[ -e {mark} ] || {{ touch {mark}; echo '# by hand' >> {running.pools}; }}")
    new = running.instance("2")
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}")
    assert result.code == 0, result.err
    assert running.version() == "2"
    assert running.pools.read_text().endswith("}\n# by hand\n")


def test_edits_that_never_stop_stop_us(running: Bench) -> None:
    wrapper(running, f"echo '# by hand' >> {running.pools}")
    text = running.pools.read_text()
    result = running.run("switch", "app_backend", NEW)
    assert result.code == 3
    assert "somebody keeps changing the config" in result.err
    assert running.pools.read_text().replace("# by hand\n", "") == text
    assert running.journals == []
    assert not [name for name in running.files() if ".proxyswitch-" in name]


# the lock


def test_a_busy_lock_tells_who_holds_it(running: Bench) -> None:
    new = running.instance("2")
    with running.frozen():  # so that the first command waits for its reload, with the lock in its hand
        first = running.spawn("switch", "app_backend", f"127.0.0.1:{new}")
        assert eventually(lambda: running.journals)
        second = running.run("switch", "app_backend", NEW, "--lock-timeout", "0", "--json")
    out, err = first.communicate(timeout=LIMIT)
    assert (second.code, second.json["exit"], second.json["changed"]) == (75, 75, False)
    assert f"the config {running.conf} is busy: pid {first.pid} of " in second.err
    assert re.search(r"has held it for \d+ s: .*switch app_backend 127.0.0.1:", second.err)
    assert (first.returncode, running.version()) == (0, "2"), (out, err)


def test_a_lock_timeout_waits_for_the_lock(running: Bench) -> None:
    new, third = running.instance("2"), running.instance("3")
    with running.frozen():
        first = running.spawn("switch", "app_backend", f"127.0.0.1:{new}")
        assert eventually(lambda: running.journals)
        second = running.spawn("switch", "app_backend", f"127.0.0.1:{third}", "--lock-timeout", "60s")
        for _ in range(2):  # the time that a command takes which does not wait
            assert running.run("switch", "app_backend", NEW, "--lock-timeout", "0").code == 75
        assert (first.poll(), second.poll()) == (None, None)
    for command in (first, second):
        _, err = command.communicate(timeout=LIMIT)
        assert command.returncode == 0, err
    assert running.version() == "3"


def test_reading_needs_no_lock(running: Bench) -> None:
    new = running.instance("2")
    with running.frozen():
        first = running.spawn("switch", "app_backend", f"127.0.0.1:{new}")
        assert eventually(lambda: running.journals)
        looked = [running.run(*words).code for words in (("show",), ("get", "app_backend"))]
        looked.append(running.run("switch", "app_backend", NEW, "--dry-run").code)
    assert looked == [0, 0, 0]
    assert (first.communicate(timeout=LIMIT), first.returncode)[1] == 0


# signals


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_takes_the_change_back(running: Bench, signum: signal.Signals) -> None:
    before, new = running.files(), running.instance("2")
    with running.frozen():
        command = running.spawn("switch", "app_backend", f"127.0.0.1:{new}", "--json")
        assert eventually(lambda: "applying" in "".join(j.read_text() for j in running.journals))
        assert running.files() != before
        command.send_signal(signum)
        assert eventually(lambda: running.files() == before)
    out, err = command.communicate(timeout=LIMIT)
    assert command.returncode == 128 + signum, err
    assert f"interrupted by {signum.name}" in err
    assert json.loads(out)["changed"] is False
    assert (running.files(), running.journals, running.version()) == (before, [], "1")


def test_a_signal_while_it_drains_leaves_the_new_side(running: Bench) -> None:
    from tests.e2e.clients import echo_server, upgraded

    with echo_server() as port:
        assert running.run("switch", "app_backend", f"127.0.0.1:{port}").code == 0
        with upgraded(running):
            command = running.spawn(
                "switch", "app_backend", f"127.0.0.1:{running.instance('2')}", "--drain", "60s", "--json"
            )
            assert eventually(lambda: len(running.workers.old) == 1 and not running.journals)
            command.send_signal(signal.SIGTERM)
            out, err = command.communicate(timeout=LIMIT)
    assert command.returncode == 143, err
    assert json.loads(out)["changed"] is True
    assert "switched; the old side is left running" in err
    assert running.version() == "2"


AT_THE_LAST_MOMENT = """\
import os, signal
from proxyswitch.cli import main
from proxyswitch.release.history import History

write = History.add
History.add = lambda *words: (write(*words), os.kill(os.getpid(), signal.SIGTERM))
main()
"""


def test_a_signal_that_comes_when_all_is_written_down_takes_nothing_back(running: Bench) -> None:
    words = running.argv("switch", "app_backend", f"127.0.0.1:{running.instance('2')}", "--json")[3:]
    argv = [running.python, "-c", AT_THE_LAST_MOMENT, *words]
    done = subprocess.run(argv, env=running.environment(), capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 143, done.stderr
    assert json.loads(done.stdout)["changed"] is True
    assert "state: switched" in done.stderr
    assert (running.version(), running.journals) == ("2", [])
    assert running.run("rollback", "app_backend", "-q").code == 0
    assert running.version() == "1"


# full disks


def limited(place: Bench, size: int, *words: str) -> Run:
    """Run it where no file can grow beyond `size` bytes: to a program that is what a full disk is.

    The name of the user stands in the journal: it makes that larger than any of the config files.
    """
    argv = ["prlimit", f"--fsize={size}", *place.argv(*words)]
    done = subprocess.run(
        argv,
        env=place.environment({"SUDO_USER": "u" * 2000}),
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("size", "where"),
    [
        (0, "the copy that nginx is to test"),
        (500, "the copy that nginx is to test"),
        (3000, "/journal/"),
        (10_000, "/history.jsonl:"),
    ],
)
def test_wherever_the_disk_is_full_nothing_is_half_done(running: Bench, size: int, where: str) -> None:
    (running.folder / "error.log").unlink()  # nginx keeps writing to it, but nothing of ours grows with it
    new = running.instance("2")
    running.state.mkdir()
    (running.state / "history.jsonl").write_text("{}\n" * 5_000)
    with running.taken_back():
        result = limited(running, size, "switch", "app_backend", f"127.0.0.1:{new}", "--json")
    assert result.code == 3, result
    assert where in result.err
    assert re.search(r"No space left|File too large", result.err), result.err
    assert running.version() == "1"
    assert running.run("switch", "app_backend", f"127.0.0.1:{new}").code == 0


FULL = """\
mount -t tmpfs -o size=64k tmpfs "$1" || exit 90
cp "$2"/* "$1" 2>/dev/null
shift 2
dd if=/dev/zero of="$FILL/fill" bs=1k 2>/dev/null
"$@"; code=$?
rm "$FILL/fill"
cat "$FILL/pools.conf" 2>/dev/null
exit $code
"""


@pytest.mark.root
@pytest.mark.parametrize("which", ["config", "state"])
def test_a_file_system_without_space_is_named(place: Bench, tmp_path_factory: pytest.TempPathFactory, which: str) -> None:
    place.write(1)
    before = place.pools.read_text()
    full = place.folder if which == "config" else place.state
    place.state.mkdir()
    source = tmp_path_factory.mktemp("source")
    if which == "config":
        for path in (place.conf, place.pools):
            (source / path.name).write_bytes(path.read_bytes())
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", FULL, "sh", str(full), str(source)]
    env = {**place.environment(), "FILL": str(full), "PROXYSWITCH_STATE": str(tmp_path_factory.mktemp("state"))}
    if which == "state":
        env["PROXYSWITCH_STATE"] = str(full)
    done = subprocess.run(
        [*argv, *place.argv("switch", "app_backend", NEW)],
        env=env,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode == 90:
        pytest.skip("no permission to mount here")
    assert done.returncode == 3, done
    assert "No space left on device" in done.stderr
    assert done.stdout == (before if which == "config" else "")
    assert place.pools.read_text() == before
