"""`deploy` with `strategy = "canary"`: shares step by step, judged by what the proxy counts of both sides."""

from __future__ import annotations

import itertools
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.system import signals
from tests.e2e.haproxy_pairs import done
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.shop import Shop, python, shop, wait
from tests.e2e.support import CONF, Bench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

QUICK = {"steps": ["10%", "50%"], "pause": "1500ms"}
FEW = {"min_requests": 5, "max_error_rate": "20%"}
# answers 500 to everything but its health check
ILL = python(
    "import http.server, json, os",
    "class Handler(http.server.BaseHTTPRequestHandler):",
    "    def do_GET(self):",
    "        well = self.path == '/health' or not os.environ['APP_VERSION'].endswith('-errors')",
    "        body = json.dumps({'status': 'healthy', 'version': os.environ['APP_VERSION']}).encode()",
    "        self.send_response(200 if well else 500)",
    "        self.send_header('X-Version', os.environ['APP_VERSION'])",
    "        self.send_header('Content-Length', str(len(body)))",
    "        self.end_headers()",
    "        self.wfile.write(body)",
    "    def log_message(self, *words): pass",
    "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()",
)


@pytest.fixture
def ha(ha_place: HaproxyBench) -> Iterator[Shop]:
    """Version 1 is live in slot blue of a pool of HAProxy."""
    with shop(ha_place, "haproxy") as made:
        made.configure(strategy="canary", canary=QUICK, analysis=FEW)
        done(made.run("start", "web:blue", "--version", "1"))
        wait(lambda: ha_place.servers["app_backend", "app-blue"]["srv_op_state"] == "2")
        yield made


@pytest.fixture
def reloaded(web: Shop) -> Shop:
    """The same behind an nginx that is reloaded."""
    web.configure(strategy="canary", canary={**QUICK, "pause": "300ms"}, analysis={"on_no_traffic": "promote"})
    return web


@contextmanager
def asked(port: int, pause: float = 0.01) -> Iterator[dict[str, int]]:
    """Many clients ask, each from an address of its own; the answers are counted by version, or by status."""
    seen: dict[str, int] = {}
    over = threading.Event()

    def ask() -> None:
        for number in itertools.count():
            if over.wait(pause):
                return
            client = HTTPConnection("127.0.0.1", port, timeout=20, source_address=(f"127.0.1.{1 + number % 250}", 0))
            try:
                client.request("GET", "/")
                answer = client.getresponse()
                key = str(answer.headers["X-Version"] if answer.status == 200 else answer.status)
            finally:
                client.close()
            seen[key] = seen.get(key, 0) + 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def events(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_shares_grow_and_no_request_fails(ha: Shop) -> None:
    with Load(Endpoint("127.0.0.1", ha.bench.port), long_seconds=0.5, limit=60) as load:
        wait(lambda: load.summary().requests > 50)
        result = ha.deploy("2", "--json")
        wait(lambda: load.summary().by_version.get("2", 0) > 200)
    seen = load.summary()
    assert (seen.failures, seen.reused_closed) == (0, 0), seen.errors
    assert seen.first_seen["2"] < seen.last_seen["1"]  # both answered for a time
    assert ha.live() == "green"
    assert ha.instances() == {"green": "2"}
    assert "server app-green 127.0.0.1" in ha.bench.conf.read_text()
    assert " weight " not in ha.bench.conf.read_text()  # the weights are those that they were
    steps = [str(e["step"]) for e in events(result.out) if e.get("event") == "step" and e["state"] == "done"]
    assert sum("gets 10 %" in step for step in steps) == 1
    assert sum("gets 50 %" in step for step in steps) == 1
    assert sum("gets 100 %" in step for step in steps) == 1


def test_a_version_that_answers_with_errors_is_taken_back(ha: Shop) -> None:
    before = ha.bench.conf.read_text()
    ha.configure(strategy="canary", canary={**QUICK, "pause": "20s"}, analysis=FEW, command=ILL)
    with asked(ha.bench.port) as seen:
        result = ha.deploy("2-errors", code=3)
        answered = dict(seen)
        wait(lambda: seen["1"] > answered["1"] + 20)
        assert seen["500"] == answered["500"]  # none of them since it was taken back
    assert "green answered " in result.err
    assert "with 5xx or not at all, blue 0 of " in result.err
    assert "more than 20%" in result.err
    assert "everything is as before: web 1 serves from slot blue" in result.err
    assert ha.bench.conf.read_text() == before
    assert ha.instances() == {"blue": "1"}
    assert ha.journals() == []


def test_an_old_side_that_fails_as_much_is_no_reason(ha: Shop) -> None:
    """What both do is not the fault of the new one, as long as it is below the absolute limit."""
    limits = {"min_requests": 5, "max_error_rate": "100%", "error_ratio": 2}
    ha.configure(strategy="canary", canary=QUICK, analysis=limits, command=ILL)
    done(ha.run("restart", "web:blue", "--version", "1-errors"))
    with asked(ha.bench.port) as seen:
        ha.deploy("2-errors")
    assert set(seen) <= {"500", "503"}
    assert ha.live() == "green"


def test_a_version_that_dies_meanwhile_is_taken_back(ha: Shop) -> None:
    ha.configure(strategy="canary", canary={**QUICK, "pause": "30s"}, analysis=FEW)
    running = ha.spawn("2")
    wait(lambda: (ha.record("green") or {}).get("version") == "2" and "weight" in ha.bench.conf.read_text())
    crash(ha.green)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 3, err
    assert "died" in err
    assert ha.live() == "blue"
    assert ha.instances() == {"blue": "1"}


def crash(port: int) -> None:
    with suppress(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/crash", timeout=10)


@pytest.mark.parametrize(("rule", "code"), [("promote", 0), ("abort", 3)])
def test_too_few_requests_are_an_outcome_of_their_own(ha: Shop, rule: str, code: int) -> None:
    ha.configure(strategy="canary", canary={**QUICK, "pause": "200ms"}, analysis={"on_no_traffic": rule})
    result = ha.deploy("2", code=code)
    assert "green got 0 of the 20 requests that are needed to judge it" in result.err
    assert ha.live() == ("green" if code == 0 else "blue")


def test_waiting_for_requests_ends(ha: Shop) -> None:
    limits = {"on_no_traffic": "wait", "patience": "1s"}
    ha.configure(strategy="canary", canary={**QUICK, "pause": "200ms"}, analysis=limits)
    assert "in 1.0 s more" in ha.deploy("2", code=3).err
    assert ha.live() == "blue"


def test_waiting_for_requests_until_they_come(ha: Shop) -> None:
    limits = {"on_no_traffic": "wait", "patience": "60s", "min_requests": 5}
    ha.configure(strategy="canary", canary={**QUICK, "pause": "200ms"}, analysis=limits)
    running = ha.spawn("2")
    with asked(ha.bench.port):
        _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert ha.live() == "green"


MANUAL = {"steps": ["20%"], "pause": "100ms", "manual": True}


def test_a_person_promotes(ha: Shop) -> None:
    ha.configure(strategy="canary", canary=MANUAL)
    running = ha.spawn("2")
    wait(lambda: " weight 4" in ha.bench.conf.read_text())
    told = ha.run("promote", "web")
    assert (told.code, told.out) == (0, "web: the canary goes on\n")
    _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert ha.live() == "green"


def test_a_person_aborts(ha: Shop) -> None:
    before = ha.bench.conf.read_text()
    ha.configure(strategy="canary", canary=MANUAL)
    running = ha.spawn("2")
    wait(lambda: " weight 4" in ha.bench.conf.read_text())
    assert ha.run("abort", "web").code == 0
    _, err = running.communicate(timeout=60)
    assert running.returncode == 3, err
    assert "has aborted the release of web" in err
    assert ha.bench.conf.read_text() == before
    assert ha.instances() == {"blue": "1"}


def test_nobody_promotes(ha: Shop) -> None:
    ha.configure(strategy="canary", canary={**MANUAL, "patience": "500ms"})
    assert "nobody has promoted web within 0.5 s" in ha.deploy("2", code=3).err
    assert ha.live() == "blue"


def test_without_a_canary_there_is_nothing_to_promote(ha: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    result = ha.run("promote", "web")
    assert result.code == 2
    assert "no release of web waits for a decision" in result.err
    assert ha.run("promote", "shop").code == 2


def test_a_kill_in_the_middle_is_taken_back_at_once(ha: Shop) -> None:
    before = ha.bench.conf.read_text()
    ha.configure(strategy="canary", canary={"steps": ["10%", "40%"], "pause": "100ms", "manual": True})
    running = ha.spawn("2")
    wait(lambda: " weight 9" in ha.bench.conf.read_text())
    assert ha.run("promote", "web").code == 0
    wait(lambda: len([e for e in ha.history() if e.get("change")]) == 2)  # both steps are proven
    running.kill()
    running.communicate()
    result = ha.run("recover")
    assert result.code == 0, result.err
    assert ha.bench.conf.read_text() == before
    assert ha.live() == "blue"
    assert ha.instances() == {"blue": "1"}
    changes = [e for e in ha.history() if e.get("change")]
    assert len(changes[-1]["undoes"].split()) == 2  # both steps in one


def test_behind_an_nginx_that_is_reloaded(reloaded: Shop) -> None:
    """The other side has no line of its own: it gets one for the time being."""
    before = reloaded.bench.pools.read_text()
    reloaded.deploy("2")
    after = before.replace(f"server 127.0.0.1:{reloaded.blue}", f"server 127.0.0.1:{reloaded.green}")
    assert reloaded.bench.pools.read_text().split() == after.split()
    assert reloaded.live() == "green"
    assert reloaded.bench.version() == "2"


def test_behind_an_nginx_that_is_reloaded_it_is_taken_back(reloaded: Shop) -> None:
    before = reloaded.bench.pools.read_text()
    reloaded.configure(strategy="canary", canary={"steps": ["25%"], "pause": "100ms", "manual": True, "patience": "300ms"})
    reloaded.deploy("2", code=3)
    assert reloaded.bench.pools.read_text() == before
    assert reloaded.bench.version() == "1"
    assert reloaded.instances() == {"blue": "1"}


# nginx counts by a log


LOG_FORMAT = (
    '    log_format tries escape=json \'{{"time":$msec,"status":$status,"seconds":$request_time,\'\n'
    '        \'"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status",\'\n'
    '        \'"upstream_seconds":"$upstream_response_time"}}\';\n'
    "    access_log {folder}/tries.log tries;\n"
)


@pytest.fixture
def logged(place: Bench) -> Iterator[Shop]:
    """Behind an nginx that is reloaded, with a log of tries that the person wrote; the settings name it."""
    with shop(place) as made:
        words = LOG_FORMAT.replace("{folder}", str(place.folder))
        place.write(made.blue, CONF.replace("    access_log off;\n", words))
        signals.send(place.master, signals.number("HUP"))
        wait((place.folder / "tries.log").exists)
        done(made.run("start", "web:blue", "--version", "1"))
        yield made


def test_by_a_log_that_the_settings_name(logged: Shop) -> None:
    limits = {**FEW, "log": str(logged.bench.folder / "tries.log")}
    logged.configure(strategy="canary", canary={"steps": ["50%"], "pause": "30s"}, analysis=limits, command=ILL)
    with asked(logged.bench.port):
        result = logged.deploy("2-errors", code=3)
    assert "with 5xx or not at all, blue 0 of " in result.err
    assert logged.bench.version() == "1"


def test_in_instant_mode_by_its_own_log(web: Shop) -> None:
    log = web.bench.folder / "tries.log"
    words = ("app_backend", "--green", f"127.0.0.1:{web.green}", "--log", str(log), "--yes")
    done(web.run("adopt", *words))
    web.configure(strategy="canary", canary={"steps": ["50%"], "pause": "60s"}, analysis=FEW, command=ILL)
    with asked(web.bench.port):
        result = web.deploy("2-errors", code=3)
    assert "green answered " in result.err
    assert web.bench.version() == "1"
    web.configure(strategy="canary", canary={"steps": ["50%"], "pause": "300ms"})
    web.deploy("3")
    assert web.bench.version() == "3"
    assert web.live() == "green"
