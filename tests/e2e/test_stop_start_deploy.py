"""`deploy` with `strategy = "stop-start"`: a gap, measured, behind a maintenance page where the proxy has one."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.haproxy_pairs import done
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.shop import Shop, shop, wait

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


def one_slot(made: Shop, **changes: Any) -> None:
    made.configure(slots={"main": f"127.0.0.1:{made.blue}"}, strategy="stop-start", **changes)


def running(made: Shop) -> str:
    return str(made.record("main").get("version", "")) if made.runs("main") else ""


@pytest.fixture
def one(empty: Shop) -> Shop:
    """Version 1 runs in the only slot, behind an nginx that is reloaded."""
    one_slot(empty)
    done(empty.run("start", "web:main", "--version", "1"))
    return empty


@pytest.fixture
def ha(ha_place: HaproxyBench) -> Iterator[Shop]:
    with shop(ha_place, "haproxy") as made:
        one_slot(made)
        done(made.run("start", "web:main", "--version", "1"))
        wait(lambda: ha_place.servers["app_backend", "app-blue"]["srv_op_state"] == "2")
        yield made


@contextlib.contextmanager
def asked(port: int) -> Iterator[Counter[str]]:
    """Somebody asks all the time; the answers are counted by version, or by status and Retry-After."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.005):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                    seen[str(answer.headers["X-Version"])] += 1
            except urllib.error.HTTPError as error:
                seen[f"{error.code} {error.headers.get('Retry-After', '-')}"] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_the_gap_is_told(one: Shop) -> None:
    conf = one.bench.pools.read_text()
    plan = one.deploy("2", "--plan")
    assert "nobody serves" in plan.out
    result = one.deploy("2", "--json")
    assert running(one) == "2"
    assert 0 < result.json["gap"] <= result.json["seconds"]
    assert one.bench.pools.read_text() == conf
    assert one.bench.version() == "2"
    told = one.deploy("3")
    assert ", nobody served for " in told.out


def test_haproxy_shows_a_page_meanwhile(ha: Shop) -> None:
    conf = ha.bench.conf.read_text()
    with asked(ha.bench.port) as seen:
        wait(lambda: seen["1"] > 20)
        ha.deploy("2")
        wait(lambda: seen["2"] > 20)
    assert set(seen) == {"1", "2", "503 120"}, seen  # no 503 without the page, no reset
    assert ha.bench.conf.read_text() == conf
    assert ha.journals() == []


def test_a_version_that_does_not_come_up_is_taken_back(ha: Shop) -> None:
    conf = ha.bench.conf.read_text()
    result = ha.deploy("2-crashes", code=3)
    assert "everything is as before: web 1 serves from slot main" in result.err
    assert running(ha) == "1"
    assert ha.bench.version() == "1"  # open again
    assert ha.bench.conf.read_text() == conf


def test_a_version_that_dies_in_the_watch_is_taken_back(one: Shop) -> None:
    one_slot(one, watch="30s")
    release = one.spawn("2")
    wait(lambda: running(one) == "2" and one.listening("blue"))
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{one.blue}/crash", timeout=10)
    _, err = release.communicate(timeout=60)
    assert release.returncode == 3, err
    assert running(one) == "1"
    assert one.bench.version() == "1"


@pytest.mark.parametrize("when", ["start", "closed"])
def test_a_kill_in_the_gap_brings_the_old_version_back(ha: Shop, when: str) -> None:
    conf = ha.bench.conf.read_text()
    one_slot(ha, hooks={"before_switch": "sleep 60"})
    release = ha.spawn("2")
    wait(lambda: ha.bench.conf.read_text() != conf if when == "closed" else running(ha) == "2")
    release.kill()
    release.communicate()
    result = ha.run("recover")
    assert result.code == 0, result.err
    assert running(ha) == "1"
    assert ha.bench.version() == "1"
    assert ha.bench.conf.read_text() == conf


def test_rollback(one: Shop) -> None:
    one.deploy("2")
    done(one.run("rollback", "web"))
    assert running(one) == "1"
    assert one.bench.version() == "1"


def test_one_slot_needs_the_word(one: Shop) -> None:
    one.configure(slots={"main": f"127.0.0.1:{one.blue}"})
    result = one.deploy("2", code=2)
    assert 'strategy = "stop-start"' in result.err
    assert running(one) == "1"


def test_the_command_line_goes_first(web: Shop) -> None:
    """Two slots, and a version that cannot run beside the old one."""
    web.deploy("2", "--strategy", "stop-start")
    assert web.instances() == {"blue": "2"}
    assert web.bench.version() == "2"
    result = web.deploy("3", "--strategy", "stop-stort", code=2)
    assert "did you mean 'stop-start'?" in result.err


def test_an_app_without_a_proxy(one: Shop) -> None:
    text = one.settings.read_text()
    one.settings.write_text("\n".join(line for line in text.splitlines() if not line.startswith("pool ")))
    one.deploy("2")
    assert running(one) == "2"
    done(one.run("rollback", "web"))
    assert running(one) == "1"


def test_in_instant_mode_nginx_shows_the_page(web: Shop) -> None:
    done(web.run("adopt", "app_backend", "--green", f"127.0.0.1:{web.green}", "--yes"))
    web.configure(strategy="stop-start")
    with asked(web.bench.port) as seen:
        wait(lambda: seen["1"] > 20)
        web.deploy("2")
        wait(lambda: seen["2"] > 20)
    assert set(seen) == {"1", "2", "503 120"}, seen
    assert web.instances() == {"blue": "2"}
