"""HAProxy does not run: the file is tested and changed, and counts from the next start."""

from __future__ import annotations

import pytest

from tests.e2e.haproxy_pairs import done, facts, versions
from tests.e2e.haproxy_support import WITH_STATE, HaproxyBench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


@pytest.fixture
def written(ha_place: HaproxyBench) -> HaproxyBench:
    """Only a config; both instances are there."""
    ha_place.write(ha_place.instance("1"), green=ha_place.instance("2"))
    return ha_place


def test_a_switch_counts_from_the_next_start(written: HaproxyBench) -> None:
    result = done(written.run("switch", "app_backend", "app-green", "--drain", "30s"))
    assert "(file, " in result.out
    assert "HAProxy does not run: the file is changed and tested, and counts from its next start" in result.err
    files = written.files()
    again = written.run("switch", "app_backend", "app-green")
    assert (again.code, again.out, again.err, written.files()) == (0, "", "", files)
    written.start()
    assert versions(written) == {"2"}


def test_every_command_works_on_the_file(written: HaproxyBench) -> None:
    before = written.conf.read_text().split()
    done(written.run("weight", "app_backend", "app-blue=9", "app-green=1"))
    done(written.run("set", "app_backend/app-green", "drain"))
    done(written.run("drain", "app_backend/app-green"))
    assert written.run("get", "app_backend").out == f"127.0.0.1:{written.blue}\n"
    written.start()
    assert facts(written)["app-blue"][:2] == (True, 9)
    assert facts(written)["app-green"][0] is False
    written.end()
    for _ in range(2):
        done(written.run("rollback", "app_backend"))
    assert written.conf.read_text().split() == before


def test_a_server_is_added_and_taken_back(written: HaproxyBench) -> None:
    before, new = written.conf.read_bytes(), written.instance("3")
    done(written.run("switch", "app_backend", "app-blue", f"127.0.0.1:{new}"))
    assert f"    server app_backend-3 127.0.0.1:{new} check\n" in written.conf.read_text()
    written.start()
    assert versions(written) == {"1", "3"}
    written.end()
    done(written.run("rollback", "app_backend"))
    assert written.conf.read_bytes() == before


def test_show_says_that_it_is_what_the_file_says(written: HaproxyBench) -> None:
    result = done(written.run("show"))
    assert f"haproxy does not run with {written.conf}: this is what the file says" in result.err
    assert written.run("show", "--json").json["proxies"][0]["running"] is False


def test_what_haproxy_would_not_accept_is_not_written(written: HaproxyBench) -> None:
    written.conf.write_text(written.conf.read_text().replace("timeout connect 5s", "timeout connect 5parsecs"))
    with written.taken_back():
        result = written.run("switch", "app_backend", "app-green", "--json")
    assert (result.code, result.json["changed"]) == (3, False)
    assert "HAProxy refuses the config" in result.err
    assert f"{written.conf}:7" in result.err


def test_the_last_live_server_stays(written: HaproxyBench) -> None:
    with written.taken_back():
        result = written.run("set", "app_backend/app-blue", "maint")
    assert result.code == 2
    assert "without a live server" in result.err


def test_a_missing_state_file_is_no_fault(ha_place: HaproxyBench) -> None:
    ha_place.write(ha_place.instance("1"), conf=WITH_STATE, green=ha_place.instance("2"))
    done(ha_place.run("switch", "app_backend", "app-green"))
    assert not ha_place.state_file.exists()
    ha_place.start()
    assert versions(ha_place) == {"2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no backend with servers at all"),
        ("backend x\n", "no pool 'app_backend'"),
        ("backend app_backend\n    server 'a 127.0.0.1:1\n", "quote"),
        ("backend app_backend\n    server a 127.0.0.1:1\n" * 2, "2 times"),
    ],
)
def test_a_config_that_does_not_have_it_is_refused(written: HaproxyBench, text: str, said: str) -> None:
    written.conf.write_text(text)
    with written.taken_back():
        result = written.run("switch", "app_backend", "app-green")
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_config_that_is_not_there_is_named(written: HaproxyBench) -> None:
    result = written.run("show", "--haproxy-conf", str(written.folder / "nope.cfg"))
    assert result.code == 2
    assert f"{written.folder}/nope.cfg: no such config file" in result.err
