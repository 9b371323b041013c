"""`show`, `get`, and what the command itself says: for people, for `$(…)`, for programs."""

from __future__ import annotations

import subprocess

import pytest

from proxyswitch import __version__
from tests.e2e.clients import echo_server, upgraded
from tests.e2e.support import LIMIT, POOLS, Bench, eventually

TWO = POOLS.replace("# blue\n", "# blue\n    server 127.0.0.1:3 weight=7 down;\n    server 127.0.0.1:4 backup;\n")


@pytest.fixture
def written(place: Bench) -> Bench:
    """Only a config; nginx does not run."""
    place.write(1, pools=TWO + "upstream other {{ least_conn; server unix:/run/x.sock; server app.invalid; }}\n")
    return place


def test_a_pipe_gets_tab_separated_lines(written: Bench) -> None:
    result = written.run("show")
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert rows[0] == ["pool", "server", "state", "weight", "connections", "where"]
    assert [row[:4] for row in rows[1:]] == [
        ["app_backend", "127.0.0.1:1", "ready", "1"],
        ["app_backend", "127.0.0.1:3", "maint", "7"],
        ["app_backend", "127.0.0.1:4", "backup", "1"],
        ["other", "unix:/run/x.sock", "ready", "1"],
        ["other", "app.invalid", "ready", "1"],
    ]
    assert rows[1][5] == f"{written.pools}:3"
    assert "nginx does not run" in result.err
    assert "\x1b" not in result.out + result.err


def test_one_pool_alone(written: Bench) -> None:
    assert {line.split("\t")[0] for line in written.run("show", "nginx:other").out.splitlines()} == {"pool", "other"}
    missing = written.run("show", "othr")
    assert missing.code == 2
    assert "did you mean 'other'?" in missing.err


def test_looking_makes_no_state_folder(written: Bench) -> None:
    before = written.files()
    for words in (("show",), ("show", "--json"), ("get", "app_backend")):
        assert written.run(*words).code == 0
    assert (written.files(), written.state.exists()) == (before, False)


def test_json_has_all_that_is_known(written: Bench) -> None:
    shown = written.run("show", "--json").json
    proxy = shown["proxies"][0]
    assert (proxy["proxy"], proxy["conf"], proxy["running"]) == ("nginx", str(written.conf), False)
    pool = shown["pools"][1]
    assert (pool["name"], pool["context"], pool["balancer"]) == ("other", "http", "least_conn")
    server = shown["pools"][0]["servers"][1]
    assert (server["state"], server["live"], server["weight"], server["line"]) == ("maint", False, 7, 4)


def test_live_connections_and_old_workers_are_counted(place: Bench) -> None:
    with echo_server() as port:
        place.write(port)
        place.start()
        with upgraded(place), upgraded(place):
            assert place.run("show", "--json").json["pools"][0]["servers"][0]["connections"] == 2
            assert place.run("switch", "app_backend", f"127.0.0.1:{place.instance('2')}").code == 0
            assert eventually(lambda: not place.journals)
            shown = place.run("show", "--json").json["proxies"][0]
            assert shown["draining"]["count"] >= 1
            assert shown["running"] is True
            assert "old nginx worker" in place.run("show").err
        assert eventually(lambda: not place.workers.old)
        assert place.run("show", "--json").json["proxies"][0]["draining"] is None


# get


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{port}", "1"),
        ("{host}", "127.0.0.1"),
        ("{address}", "127.0.0.1:1"),
        ("http://{host}:{port}/x", "http://127.0.0.1:1/x"),
    ],
)
def test_get_fills_a_format(written: Bench, form: str, expected: str) -> None:
    result = written.run("get", "app_backend", "--format", form)
    assert (result.code, result.out, result.err) == (0, f"{expected}\n", "")


def test_get_prints_one_line_for_each_live_server(written: Bench) -> None:
    assert written.run("get", "other").out == "unix:/run/x.sock\napp.invalid:80\n"
    assert written.run("get", "other", "--json").json["endpoints"] == ["unix:/run/x.sock", "app.invalid:80"]


@pytest.mark.parametrize("form", ["{prot}", "{", "{0}", "{port.x}"])
def test_a_format_that_cannot_be_filled_is_named(written: Bench, form: str) -> None:
    result = written.run("get", "app_backend", "--format", form)
    assert (result.code, result.out) == (2, "")
    assert form in result.err


def test_the_idle_slot_of_those_given(written: Bench) -> None:
    other = ("get", "app_backend", "--other", "--format", "{port}", "--slots")
    assert written.run(*other, "127.0.0.1:1,127.0.0.1:2").out == "2\n"
    assert written.run(*other, "blue=127.0.0.1:1, green=127.0.0.1:2").out == "2\n"
    none = written.run(*other, "127.0.0.1:1")
    assert (none.code, none.out) == (2, "")
    assert "no idle slot of app_backend is known" in none.err
    assert written.run(*other, "127.0.0.1:1,oops").code == 2


def test_the_idle_slot_of_the_pools_own_lines(written: Bench) -> None:
    assert written.run("get", "app_backend", "--other").out == "127.0.0.1:3\n"


def test_the_idle_slot_of_the_settings(written: Bench) -> None:
    written.settings(
        '[apps.web]\npool = "app_backend"\nslots = { blue = "127.0.0.1:1", green = "127.0.0.1:9" }\n'
        'process = { command = ["true"] }\n'
    )
    assert written.run("get", "app_backend", "--other").out == "127.0.0.1:9\n"


def test_a_script_can_switch_back_and_forth_without_knowing_the_live_slot(running: Bench) -> None:
    live, idle = running.run("get", "app_backend").out.strip(), f"127.0.0.1:{running.instance('2')}"
    slots = ("--slots", f"{live},{idle}")
    for version in ("2", "1"):
        target = running.run("get", "app_backend", "--other", *slots).out.strip()
        assert running.run("switch", "app_backend", target, "-q").code == 0
        assert running.version() == version


# the command itself


def test_version(place: Bench) -> None:
    assert place.run("--version").out == f"proxyswitch {__version__}\n"


def test_help_names_every_command_and_code(place: Bench) -> None:
    result = place.run("--help")
    assert (result.code, result.err) == (0, "")
    for word in ("show", "switch", "rollback", "deploy", "recover", "70 a bug", "75 busy"):
        assert word in result.out
    assert place.run("-h").out == result.out
    assert "--drain" in place.run("switch", "--help").out


def test_completion_completes_commands(place: Bench) -> None:
    def complete(line: str) -> list[str]:
        words = {"_PROXYSWITCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        return place.run("--version", env=words).out.split()

    assert complete("proxyswitch sw") == ["switch"]
    assert complete("proxyswitch switch --dr") == ["--drain", "--dry-run"]
    script = place.run("--version", env={"_PROXYSWITCH_COMPLETE": "source_bash"})
    assert "complete -o default -F _proxyswitch_completion proxyswitch" in script.out


def test_a_reader_that_goes_away_is_no_error(written: Bench) -> None:
    command = " ".join(f"'{word}'" for word in written.argv("show"))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"],
        env=written.environment(),
        cwd=written.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr
