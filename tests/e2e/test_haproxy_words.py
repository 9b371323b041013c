"""What the commands say of servers of HAProxy that are special: backups, and pools where nobody is left."""

from __future__ import annotations

from tests.e2e.haproxy_support import POOLS, HaproxyBench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

SPARE = "    server spare 127.0.0.1:{spare} backup\n"


def states(place: HaproxyBench) -> dict[str, str]:
    """The state of each server, as the table of `show` has it."""
    rows = [line.split("\t") for line in place.run("show").out.splitlines()[1:]]
    return {row[1].split(" ")[0]: row[2] for row in rows}


def test_a_backup_that_is_in_is_shown_as_one_and_a_backup_that_is_out_as_out(ha_place: HaproxyBench) -> None:
    ha_place.write(ha_place.instance("1"), pools=POOLS + SPARE, spare=ha_place.instance("3"))
    assert states(ha_place) == {"app-blue": "ready", "app-green": "maint", "spare": "backup"}
    ha_place.start()
    assert states(ha_place) == {"app-blue": "ready", "app-green": "maint", "spare": "backup"}
    assert ha_place.run("set", "app_backend/spare", "maint").code == 0
    assert states(ha_place)["spare"] == "maint"


def test_a_pool_that_is_left_empty_by_force_is_said_to_have_nothing(ha: HaproxyBench) -> None:
    result = ha.run("drain", "app_backend/app-blue", "--force")
    assert result.code == 0
    assert result.out.startswith("app_backend: app-blue → nothing (runtime, ")


def test_what_reconcile_would_do_is_said_by_its_own_name(ha: HaproxyBench) -> None:
    ha.tell("set server app_backend/app-green state ready")
    plan = ha.run("reconcile", "app_backend", "--dry-run").out
    assert plan.startswith("1. change app_backend: the file follows what runs\n")
    assert ha.run("reconcile", "app_backend").code == 0
    assert "1. change app_backend: take the earlier change back" in ha.run("rollback", "app_backend", "--dry-run").out
