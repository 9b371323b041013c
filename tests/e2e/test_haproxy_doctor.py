"""`doctor` looks at HAProxy: its version, its socket and the level of that, and where file and runtime differ."""

from __future__ import annotations

import re

import pytest

from tests.e2e.haproxy_support import CONF, HaproxyBench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


def test_all_is_well(ha: HaproxyBench) -> None:
    result = ha.run("doctor")
    assert result.code == 0, result.out
    assert re.search(r"HAProxy [0-9]", result.out)
    assert f"config {ha.conf}: 1 pool" in result.out
    assert "admin.sock has level admin" in result.out
    assert "nginx" not in result.out


def test_what_runs_otherwise_than_the_file_says_is_wrong(ha: HaproxyBench) -> None:
    ha.tell("set server app_backend/app-blue weight 7")
    result = ha.run("doctor", "--json")
    assert (result.code, result.json["ok"]) == (1, False)
    bad = [f for f in result.json["findings"] if not f["ok"]]
    assert len(bad) == 1
    assert "app_backend/app-blue" in bad[0]["what"]
    assert "its weight is 7, not 1" in bad[0]["what"]
    assert "reconcile app_backend" in bad[0]["next"]


@pytest.mark.parametrize(
    ("line", "said"),
    [("stats socket {folder}/admin.sock mode 600 level operator", "has level operator"), ("", "without a runtime socket")],
)
def test_a_socket_that_is_of_no_use_is_wrong(ha_place: HaproxyBench, line: str, said: str) -> None:
    """The second one has its line taken out after the start: HAProxy cannot be asked then."""
    old = "stats socket {folder}/admin.sock mode 600 level admin"
    ha_place.write(ha_place.instance("1"), conf=CONF.replace(old, line or old))
    ha_place.start(master=False)
    if not line:
        ha_place.conf.write_text(ha_place.conf.read_text().replace(ha_place.filled(old), ""))
    result = ha_place.run("doctor", "-q")
    assert result.code == 1
    assert said in result.out
    assert "level admin" in result.out


def test_without_a_master_it_says_what_is_missing(plain: HaproxyBench) -> None:
    result = plain.run("doctor")
    assert result.code == 0, result.out
    assert "there is no master socket" in result.out


def test_an_haproxy_that_does_not_run_is_no_fault(ha: HaproxyBench) -> None:
    ha.end()
    result = ha.run("doctor")
    assert result.code == 0, result.out
    assert "HAProxy does not run with this config" in result.out
