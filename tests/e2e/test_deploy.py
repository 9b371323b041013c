"""`deploy` on a real nginx with real instances: the good way, and every way in which a release can fail."""

from __future__ import annotations

import pwd
import re
import signal
import subprocess
import sys

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.system import locks, net, proc
from tests.e2e.shop import Long, Shop, python, wait
from tests.e2e.support import LIMIT, POOLS, REPO, Bench
from tests.e2e.test_user import code, own  # noqa: F401  # fixtures

ELSEWHERE = POOLS.format(blue=9)


def untouched(web: Shop) -> None:
    """Version 1 serves from blue, nothing else runs, and nothing is left to recover."""
    assert web.instances() == {"blue": "1"}
    assert not web.listening("green")
    assert web.bench.version() == "1"
    assert web.live() == "blue"
    assert web.journals() == []
    assert web.bench.nginx_accepts()


# the good way


def test_the_first_release_of_an_app(empty: Shop) -> None:
    result = empty.deploy("1")
    assert result.out.startswith("web: unknown (blue) → 1 (green)")
    assert empty.instances() == {"green": "1"}
    assert empty.bench.version() == "1"
    assert empty.live() == "green"
    assert empty.journals() == []


def test_the_first_release_where_the_pool_leads_elsewhere(empty: Shop) -> None:
    empty.bench.pools.write_text(ELSEWHERE)
    result = empty.deploy("1", "--json")
    assert result.json["from"] == {"slot": "", "version": ""}
    assert result.json["to"] == {"slot": "blue", "version": "1"}
    assert empty.bench.version() == "1"
    assert empty.live() == "blue"


def test_each_release_takes_the_other_slot_and_ends_the_old_version(web: Shop) -> None:
    pools = web.bench.pools.read_text()
    old = web.record("blue")
    first = web.deploy("2", "--json")
    assert first.json == {
        "changed": True,
        "app": "web",
        "pool": "app_backend",
        "from": {"slot": "blue", "version": "1"},
        "to": {"slot": "green", "version": "2"},
        "mode": "reload",
        "seconds": first.json["seconds"],
        "gap": 0.0,
        "drain": first.json["drain"],
    }
    assert web.instances() == {"green": "2"}
    assert not web.listening("blue")
    assert web.bench.version() == "2"
    assert web.bench.pools.read_text() == pools.replace(f"server 127.0.0.1:{web.blue};", f"server 127.0.0.1:{web.green};")
    second = web.deploy("3")
    assert re.fullmatch(r"web: 2 \(green\) → 3 \(blue\) \(.*s\)\n", second.out)
    assert web.instances() == {"blue": "3"}
    assert web.bench.version() == "3"
    assert web.bench.pools.read_text() == pools
    with open(old["log"], encoding="utf-8") as log:  # of an instance that is long gone
        assert "version 1 (blue) listens" in log.read()
    assert web.journals() == []
    assert web.releases() == [("release", "2", "done"), ("release", "3", "done")]


def test_the_version_is_proven_not_believed(web: Shop) -> None:
    """Whoever answers in the slot must be the version that is released."""
    web.configure(total="1s", command=["sh", "-c", f"APP_VERSION=1 exec {sys.executable} {REPO}/fixtures/demo/app.py"])
    result = web.deploy("2", code=3)
    assert "version" in result.err
    untouched(web)


def test_a_version_that_is_live_already_is_silent_unless_asked_for_again(web: Shop) -> None:
    before = web.snapshot()
    result = web.deploy("1")
    assert (result.out, result.err) == ("", "")
    assert web.snapshot() == before
    assert web.deploy("1", "--json").json["changed"] is False
    web.deploy("1", "--again")
    assert web.instances() == {"green": "1"}
    assert web.live() == "green"


def test_a_dry_run_touches_nothing(web: Shop) -> None:
    web.configure(hooks={"prepare": "touch prepared"})
    before = web.snapshot()
    result = web.deploy("2", "--dry-run")
    for words in (
        "1. run the hook prepare",
        "start web 2 in slot green",
        "stop web in slot blue",
        f"+    server 127.0.0.1:{web.green}",
    ):
        assert words in result.out
    data = web.deploy("2", "--dry-run", "--json").json
    assert (data["changed"], data["would_change"]) == (False, True)
    assert len(data["plan"]) >= 6
    assert f"-    server 127.0.0.1:{web.blue};" in data["diff"]
    assert web.deploy("1", "--dry-run", "--json").json["would_change"] is False
    assert web.snapshot() == before
    untouched(web)


def test_a_dry_run_before_the_first_release_makes_no_state(empty: Shop) -> None:
    empty.deploy("1", "--dry-run")
    assert not empty.bench.state.exists()


def test_without_a_version_the_time_is_its_name(web: Shop) -> None:
    result = web.run("deploy", "web", "--json")
    assert result.code == 0, result.err
    assert re.fullmatch(r"\d{8}T\d{6}Z", result.json["to"]["version"])
    assert web.bench.version() == result.json["to"]["version"]


def test_quiet_says_nothing_when_all_went_well(web: Shop) -> None:
    result = web.deploy("2", "-q")
    assert (result.out, result.err) == ("", "")
    assert web.bench.version() == "2"


def test_no_request_is_lost_and_the_versions_follow_each_other(web: Shop) -> None:
    with Load(Endpoint("127.0.0.1", web.bench.port), long_seconds=1.0, limit=60) as load:
        wait(lambda: load.summary().by_request.get("long", {}).get("ok"))
        web.deploy("2")
        wait(lambda: load.summary().by_version.get("2", 0) > 50)
    seen = load.summary()
    assert seen.failures == 0, seen.errors
    assert set(seen.by_version) == {"1", "2"}
    assert seen.first_seen["1"] < seen.first_seen["2"]
    assert seen.last_seen["1"] < seen.last_seen["2"]
    assert seen.by_request["long"]["ok"] >= 2


# the new version is no good


def test_a_version_that_never_gets_healthy_is_ended_again(web: Shop) -> None:
    web.configure(total="1s")
    old = web.runs("blue")
    result = web.deploy("2-ill", "--json", code=3)
    assert result.json["exit"] == 3
    assert result.json["changed"] is False
    assert "503" in result.json["error"]
    assert result.json["state"] == "everything is as before: web 1 serves from slot blue"
    assert web.runs("blue") == old
    untouched(web)
    assert web.releases() == [("release", "2-ill", "failed")]


def test_a_version_that_crashes_is_not_waited_for(web: Shop) -> None:
    web.configure(total="300s")
    result = web.deploy("2-crashes", code=3)
    assert "crashed: cannot reach the database" in result.err
    assert "ended with status 1" in result.err
    assert "state: everything is as before: web 1 serves from slot blue" in result.err
    untouched(web)


def test_a_version_that_dies_after_the_switch_takes_the_traffic_back(web: Shop) -> None:
    crash = python(
        "import os, urllib.request",
        "try: urllib.request.urlopen('http://' + os.environ['PROXYSWITCH_ADDRESS'] + '/crash')",
        "except OSError: pass",
    )
    web.configure(hooks={"after_switch": crash}, watch="60s")
    pools, old = web.bench.pools.read_text(), web.runs("blue")
    result = web.deploy("2", code=3)
    assert "crashed: /crash was asked for" in result.err
    assert web.bench.pools.read_text() == pools
    assert web.runs("blue") == old
    untouched(web)
    assert [(e["kind"], e["result"]) for e in web.history()] == [
        ("switch", "done"),
        ("rollback", "done"),
        ("release", "failed"),
    ]


def test_after_a_failure_the_next_release_works(web: Shop) -> None:
    web.deploy("2-crashes", code=3)
    web.deploy("3")
    assert web.instances() == {"green": "3"}
    assert web.bench.version() == "3"


# the old version


def test_an_old_version_that_ignores_sigterm_is_killed_after_its_grace(empty: Shop) -> None:
    empty.configure(grace="300ms")
    empty.deploy("1-deaf")
    old = empty.runs("green")
    assert old
    empty.deploy("2")
    assert not proc.alive(old)
    assert empty.instances() == {"blue": "2"}


def test_an_old_version_that_was_started_by_hand_is_ended_after_the_switch(empty: Shop) -> None:
    empty.blue = empty.bench.instance("by hand")
    empty.bench.write(empty.blue)
    empty.configure(adopt_port=True)
    old = proc.identify(empty.bench.started[-1].pid)
    assert old
    result = empty.deploy("2")
    assert not proc.alive(old)
    assert empty.instances() == {"green": "2"}
    assert empty.bench.version() == "2"
    assert result.out.startswith("web: unknown (blue) → 2 (green)")


def test_without_leave_an_old_version_that_was_started_by_hand_is_not_touched(empty: Shop) -> None:
    empty.blue = empty.bench.instance("by hand")
    empty.bench.write(empty.blue)
    empty.configure()
    old = proc.identify(empty.bench.started[-1].pid)
    assert old
    empty.deploy("2")
    assert proc.alive(old)
    assert empty.bench.version() == "2"
    assert empty.run("stop", "web:blue").out == ""
    assert proc.alive(old)


def test_an_old_side_that_does_not_drain_in_time_is_left_and_cleared_by_a_later_release(web: Shop) -> None:
    web.configure(drain="300ms")
    long = Long(web, 8.0)
    old = web.runs("blue")
    result = web.deploy("2", "--json", code=5)
    assert result.json["changed"] is True
    assert result.json["state"] == "switched; the old side is left running"
    assert web.bench.version() == "2"
    assert web.runs("blue") == old
    early = web.deploy("3", code=3)  # its slot is not free yet
    assert "the slot is not free yet" in early.err
    assert web.bench.version() == "2"
    assert web.runs("blue") == old
    assert long.open
    web.configure(drain="30s")
    web.deploy("3")
    assert long.end() == "1"  # it was waited for
    assert web.instances() == {"blue": "3"}
    assert web.bench.version() == "3"
    assert web.releases() == [("release", "2", "done"), ("release", "3", "failed"), ("release", "3", "done")]


# the place


def test_a_slot_that_a_stranger_took_is_said_before_anything_is_done(web: Shop) -> None:
    web.green = web.bench.instance("stranger")
    web.configure(hooks={"prepare": "touch prepared"})
    before = web.snapshot()
    result = web.deploy("2", code=2)
    assert (
        f"127.0.0.1:{web.green}, where web:green should listen, is taken by process {web.bench.started[-1].pid}"
        in result.err
    )
    assert web.snapshot() == before
    assert web.bench.started[-1].poll() is None
    assert web.bench.version() == "1"


def test_slots_may_be_unix_sockets(empty: Shop) -> None:
    app = empty.bench.folder / "app.py"
    app.write_text(UNIX_APP)
    folder = empty.bench.folder
    empty.bench.pools.write_text(f"upstream app_backend {{\n    server unix:{folder}/blue.sock;\n}}\n")
    slots = {"blue": f"unix:{folder}/blue.sock", "green": f"unix:{folder}/green.sock"}
    empty.configure(slots=slots, command=[sys.executable, "-I", "-S", str(app)])
    empty.deploy("1")
    assert empty.bench.version() == "1"
    assert f"server unix:{folder}/green.sock;" in empty.bench.pools.read_text()
    empty.deploy("2")
    assert empty.bench.version() == "2"
    assert not net.is_listening(Endpoint(path=f"{folder}/green.sock"))


UNIX_APP = """
import json, os, socketserver
from http.server import BaseHTTPRequestHandler

class Handler(BaseHTTPRequestHandler):
    def address_string(self):
        return "unix"
    def do_GET(self):
        body = json.dumps({"status": "healthy", "version": os.environ["APP_VERSION"]}).encode()
        self.send_response(200)
        self.send_header("X-Version", os.environ["APP_VERSION"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

path = os.environ["SOCKET"]
if os.path.exists(path):
    os.unlink(path)
socketserver.ThreadingUnixStreamServer(path, Handler).serve_forever()
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deploy", "wep"), "did you mean 'web'?"),
        (("deploy", "web", "--slot", "red"), "web has no slot 'red'; it has blue, green"),
        (("deploy", "web", "--slot", "blue"), "slot blue is live"),
    ],
)
def test_what_cannot_be_released_is_refused(web: Shop, words: tuple[str, ...], said: str) -> None:
    before = web.snapshot()
    result = web.run(*words, "--version", "2")
    assert result.code == 2
    assert said in result.err
    assert web.snapshot() == before


def test_a_pool_that_is_not_there_is_said_with_the_one_that_was_meant(web: Shop) -> None:
    web.configure(pool="app_backand")
    result = web.deploy("2", code=2)
    assert "did you mean 'app_backend'?" in result.err
    assert web.instances() == {"blue": "1"}


# nginx


def test_a_config_that_nginx_rejects_stops_the_release(web: Shop) -> None:
    web.configure(hooks={"before_switch": "echo 'bogus yes;' >> nginx.conf"})
    pools, conf = web.bench.pools.read_text(), web.bench.conf.read_text()
    result = web.deploy("2", code=3)
    assert 'unknown directive "bogus"' in result.err
    assert str(web.bench.conf) in result.err
    assert web.bench.pools.read_text() == pools
    web.bench.conf.write_text(conf)
    untouched(web)


def test_a_reload_that_is_not_taken_gives_everything_back(web: Shop) -> None:
    hooks = {"before_switch": "kill -STOP $(cat nginx.pid)", "on_failure": "kill -CONT $(cat nginx.pid)"}
    web.configure(hooks=hooks, reload_timeout="1s")
    pools = web.bench.pools.read_text()
    result = web.deploy("2", code=3)
    assert "everything is as before" in result.err
    assert web.bench.pools.read_text() == pools
    untouched(web)


# others at work, and signals


def test_while_another_run_works_it_is_busy_or_waits(web: Shop) -> None:
    lock = web.bench.state / "locks" / "app-web.lock"
    with locks.hold(lock, "the app web", 0):
        result = web.deploy("2", "--json", code=75)
        assert result.json["exit"] == 75
        assert "pid" in result.json["error"]
        waiting = web.spawn("2", "--lock-timeout", "30s")
        web.deploy("3", code=75)  # begun later, and ended by the lock: the other one is at the lock by now too
        assert waiting.poll() is None
    out, err = waiting.communicate(timeout=LIMIT)
    assert waiting.returncode == 0, err
    assert "→ 2" in out
    assert web.bench.version() == "2"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_takes_everything_back(web: Shop, signum: int) -> None:
    web.configure(total="300s")
    old = web.runs("blue")
    running = web.spawn("2-ill", "--json")
    wait(lambda: web.listening("green"))
    running.send_signal(signum)
    _, err = running.communicate(timeout=LIMIT)
    assert running.returncode == 128 + signum, err
    assert f"interrupted by {signal.Signals(signum).name}" in err
    assert web.runs("blue") == old
    untouched(web)


def test_a_signal_after_the_switch_leaves_the_new_version_live(web: Shop) -> None:
    long = Long(web, 4.0)
    journal = web.bench.state / "journal" / "app-web.jsonl"
    running = web.spawn("2", "--json")
    wait(lambda: any(e["kind"] == "switch" for e in web.history()))
    wait(lambda: '"number":5,"state":"begin"' in journal.read_text())
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=LIMIT)
    assert running.returncode == 143, err
    assert "switched; the old side is left running" in out
    assert web.instances() == {"blue": "1", "green": "2"}
    assert web.bench.version() == "2"
    assert long.end() == "1"
    assert web.releases() == [("release", "2", "done")]


def test_a_signal_that_is_ignored_stays_ignored(web: Shop) -> None:
    """As under nohup: a terminal that goes away must not stop a release."""
    argv = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *web.bench.argv("deploy", "web", "--version", "2")]
    web.configure(hooks={"prepare": "kill -HUP $PPID"})
    done = subprocess.run(
        argv, env=web.bench.environment(), cwd=web.bench.folder, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert web.bench.version() == "2"


# an ordinary user


@pytest.mark.root
def test_an_ordinary_user_releases_behind_a_private_nginx(own: Bench) -> None:  # noqa: F811
    web = Shop(own)
    web.configure()
    try:
        web.deploy("2")
        web.deploy("3")
        process = web.runs("green")
        assert process
        assert proc.owner(process.pid) == pwd.getpwnam(own.user).pw_uid
        assert web.instances() == {"green": "3"}
        assert own.version() == "3"
        assert web.run("rollback").code == 0
        assert own.version() == "2"
    finally:
        web.close()
