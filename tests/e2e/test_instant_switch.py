"""Pools in instant mode: the commands, without a reload."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.e2e.instant_support import InstantBench

pytest_plugins = ["tests.e2e.instant_fixtures"]


def versions(place: InstantBench, count: int = 6) -> set[str]:
    return {place.version() for _ in range(count)}


def test_a_switch_is_a_rename_and_no_reload(instant: InstantBench) -> None:
    workers, files = instant.workers.active, instant.files()
    result = instant.run("switch", "app_backend", "green")
    assert re.fullmatch(r"app_backend: blue → green \(instant, [\d.]+ m?s\)\n", result.out), result.out + result.err
    assert (result.code, result.err) == (0, "")
    assert versions(instant) == {"2"}
    assert (instant.workers.active, instant.files()) == (workers, files)
    assert instant.flag == "pct-100"


@pytest.mark.parametrize("target", ["green", "{green}"])
def test_a_target_is_a_slot_or_its_address(instant: InstantBench, target: str) -> None:
    assert instant.run("switch", "app_backend", target.format(green=instant.addresses[1])).code == 0
    assert versions(instant) == {"2"}
    again = instant.run("switch", "app_backend", target.format(green=instant.addresses[1]))
    assert (again.code, again.out, again.err) == (0, "", "")
    assert instant.run("switch", "app_backend", "blue", "-q").code == 0
    assert versions(instant) == {"1"}


def test_get_and_show_say_who_serves(instant: InstantBench) -> None:
    blue, green = instant.addresses
    assert instant.run("get", "app_backend").out == f"{blue}\n"
    assert instant.run("get", "app_backend", "--other").out == f"{green}\n"
    instant.run("switch", "app_backend", "green")
    assert instant.run("get", "app_backend").out == f"{green}\n"
    (pool,) = instant.run("show", "--json").json["pools"]
    assert (pool["name"], [s["slot"] for s in pool["servers"]]) == ("app_backend", ["blue", "green"])
    assert [s["state"] for s in pool["servers"]] == ["drain", "ready"]


def test_rollback_takes_the_last_one_back(instant: InstantBench) -> None:
    instant.run("switch", "app_backend", "green")
    result = instant.run("rollback", "app_backend")
    assert (result.code, versions(instant)) == (0, {"1"}), result.err
    assert instant.run("rollback", "app_backend", "--force").code in (0, 2)


def test_drain_waits_for_the_old_side(instant: InstantBench) -> None:
    result = instant.run("switch", "app_backend", "green", "--drain", "20s", "--json")
    assert result.code == 0, result.err
    assert (result.json["mode"], result.json["changed"]) == ("instant", True)
    instant.started[0].kill()
    assert versions(instant) == {"2"}


def test_canary_and_weights(instant: InstantBench) -> None:
    result = instant.run("canary", "app_backend", "5%")
    assert "app_backend: blue → blue 95 %, green 5 % (instant" in result.out, result.err
    assert instant.flag == "pct-5"
    result = instant.run("canary", "app_backend", "50%")
    assert "blue 95 %, green 5 % → blue 50 %, green 50 %" in result.out
    assert instant.run("weight", "app_backend", "blue=70", "green=30").code == 0
    assert instant.flag == "pct-30"
    assert instant.run("canary", "app_backend", "100%").code == 0
    assert instant.flag == "pct-100"
    assert instant.run("canary", "app_backend", "10%").code == 0
    assert instant.flag == "pct-90-blue"
    assert instant.run("canary", "app_backend", "60%").code == 0
    assert instant.flag == "pct-40-blue"
    assert instant.run("rollback", "app_backend").code == 0
    assert instant.flag == "pct-90-blue"
    assert instant.run("canary", "app_backend", "0").code == 0
    assert instant.flag == "pct-100"


def test_set_puts_a_slot_out_and_in(instant: InstantBench) -> None:
    assert instant.run("set", "app_backend/green", "ready").code == 0
    assert instant.flag == "pct-50"
    assert instant.run("set", "app_backend/blue", "maint").code == 0
    assert (instant.flag, versions(instant)) == ("pct-100", {"2"})
    result = instant.run("set", "app_backend/green", "maint")
    assert (result.code, "without a live server" in result.err) == (2, True)


def test_nobody_there_is_refused(instant: InstantBench) -> None:
    instant.started[1].kill()
    instant.started[1].wait()
    with instant.nothing_done():
        result = instant.run("switch", "app_backend", "green")
    assert (result.code, "nothing answers at" in result.err) == (3, True)
    assert instant.flag == "pct-0"
    assert instant.run("switch", "app_backend", "green", "--force").code == 0


def test_an_address_that_is_no_slot_is_refused(instant: InstantBench) -> None:
    result = instant.run("switch", "app_backend", "127.0.0.1:9")
    assert (result.code, "neither of its slots" in result.err) == (2, True)


def test_the_sides_are_no_pools_of_their_own(instant: InstantBench) -> None:
    result = instant.run("switch", "app_backend_blue", "green")
    assert (result.code, "one side of the pool app_backend" in result.err) == (2, True)


def test_mode_is_checked(instant: InstantBench) -> None:
    assert instant.run("switch", "app_backend", "green", "--mode", "instant").code == 0
    result = instant.run("switch", "app_backend", "blue", "--mode", "reload")
    assert (result.code, "needs no reload" in result.err) == (2, True)


def test_a_flag_folder_that_is_gone_is_made_anew(instant: InstantBench) -> None:
    shutil.rmtree(instant.flags)
    shown = instant.run("show")
    assert "green is missing: nginx sends all to blue" in shown.err
    assert versions(instant) == {"1"}
    assert instant.run("switch", "app_backend", "blue").code == 0
    assert instant.flag == "pct-0"
    shutil.rmtree(instant.flags)
    assert instant.run("switch", "app_backend", "green").code == 0
    assert versions(instant) == {"2"}
    assert instant.run("show").err == ""


@pytest.mark.root
def test_a_flag_that_nginx_cannot_see_is_not_set(instant: InstantBench) -> None:
    text = instant.conf.read_text()
    instant.conf.write_text(text.replace("user root;", "user www-data;"))
    instant.end()
    instant.start()
    with instant.nothing_done():
        result = instant.run("switch", "app_backend", "green")
    assert (result.code, "www-data" in result.err, "chmod" in result.err) == (3, True, True), result.err
    assert (instant.flag, versions(instant)) == ("pct-0", {"1"})


@pytest.mark.root
def test_a_drain_that_cannot_be_seen_is_not_done(instant: InstantBench) -> None:
    """nginx in a network of its own: its connections are not among ours."""
    workers = instant.workers
    argv = ["unshare", "--net", *instant.argv("switch", "app_backend", "green", "--force", "--drain", "2s")]
    done = subprocess.run(argv, env=instant.environment(), cwd=instant.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "another network namespace" in done.stderr) == (5, True), done.stderr
    assert (instant.flag, instant.workers) == ("pct-100", workers)


def test_history_tells_what_was_done(instant: InstantBench) -> None:
    for words in (("canary", "5%"), ("maintenance", "on"), ("maintenance", "off"), ("switch", "green")):
        assert instant.run(words[0], "app_backend", *words[1:]).code == 0
    rows = [line.split("\t") for line in instant.run("history").out.splitlines()[1:]]
    told = [(row[1], row[-1]) for row in rows]
    assert told == [
        ("canary", "blue → blue 95 %, green 5 %"),
        ("maintenance on", ""),
        ("maintenance off", ""),
        ("switch", "blue 95 %, green 5 % → green"),
    ]


def test_the_flag_can_be_set_while_nginx_does_not_run(blank: InstantBench) -> None:
    blank.set_up()
    blank.run("switch", "app_backend", "green")
    running = blank.master
    blank.end()
    assert running
    result = blank.run("switch", "app_backend", "blue", "--force")
    assert (result.code, blank.flag) == (0, "pct-0"), result.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("switch", "app_backend", "grean"), "did you mean green?"),
        (("set", "app_backend/purple", "maint"), "blue ("),
        (("switch", "app_backent", "green"), "did you mean 'app_backend'?"),
    ],
)
def test_a_name_that_is_none_is_told_what_was_meant(instant: InstantBench, words: tuple[str, ...], hint: str) -> None:
    with instant.nothing_done():
        result = instant.run(*words)
    assert (result.code, hint in result.err, "app_backend_blue" in result.err) == (2, True, False), result.err
