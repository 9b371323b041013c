"""What HAProxy or its config does not let us do is refused before anything is written, with the file and the line."""

from __future__ import annotations

import pytest

from tests.e2e.haproxy_pairs import again, done, lasts, pair, same_workers, shown, states, versions
from tests.e2e.haproxy_support import CONF, HAPROXY, HaproxyBench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

TEMPLATE = """\
backend app_backend
    server-template app 2 127.0.0.1:{blue} check
    server one 127.0.0.1:{green}
"""
CONDITION = """\
backend app_backend
    .if {condition}
    server app-blue 127.0.0.1:{blue}
    .else
    server app-blue 127.0.0.1:{green}
    .endif
    server app-green 127.0.0.1:{green} disabled
"""
NAMED = """\
defaults named
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    default-server disabled
backend app_backend from named
    server app-blue 127.0.0.1:{blue} enabled
    server app-green 127.0.0.1:{green}
"""


# server-template


@pytest.mark.parametrize(
    "words",
    [
        ("switch", "app_backend", "one"),
        ("switch", "app_backend", "app1"),
        ("weight", "app_backend", "app1=4"),
        ("set", "app_backend/app2", "maint"),
    ],
)
def test_the_servers_of_a_template_are_not_edited(ha_place: HaproxyBench, words: tuple[str, ...]) -> None:
    place = pair(ha_place, pools=TEMPLATE)
    with place.nothing_done():
        result = place.run(*words)
    assert result.code == 2
    assert f"comes from the server-template of {place.conf}:" in result.err
    assert "write server lines in its place" in result.err


def test_the_servers_of_a_template_are_shown_and_others_beside_it_changed(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=TEMPLATE)
    found = {name: server["running"]["state"] for name, server in shown(place).items()}
    assert found == dict.fromkeys(("app1", "app2", "one"), "ready")
    with same_workers(place):
        done(place.run("set", "app_backend/one", "maint"))
    assert states(place) == {"app1": "ready", "app2": "ready", "one": "maint"}
    lasts(place)


# conditions


def test_a_line_in_a_condition_that_is_known_is_edited(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=CONDITION, condition="defined(NOPE)")
    done(place.run("switch", "app_backend", "app-green"))
    after = [line.strip() for line in place.conf.read_text().splitlines()[-6:]]
    assert after == [
        ".if defined(NOPE)",
        f"server app-blue 127.0.0.1:{place.blue}",
        ".else",
        f"server app-blue 127.0.0.1:{place.green} disabled",
        ".endif",
        f"server app-green 127.0.0.1:{place.green}",
    ]
    lasts(place)


def test_lines_in_a_condition_that_is_not_known_are_left(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=CONDITION, condition="defined(NOPE)")
    place.conf.write_text(place.conf.read_text().replace("defined(NOPE)", "somehow(NOPE)"))
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-green")
    assert result.code == 2
    assert f"server lines of app_backend ({place.conf}:" in result.err
    assert "stand in an .if whose condition is not known here" in result.err


# a config that is wrong elsewhere


def test_a_pool_that_is_there_twice_is_named_with_both_places(ha: HaproxyBench) -> None:
    ha.conf.write_text(ha.conf.read_text() + "listen app_backend\n    bind 127.0.0.1:1\n    server a 127.0.0.1:1\n")
    with ha.nothing_done():
        result = ha.run("switch", "app_backend", "app-green", "--json")
    assert (result.code, result.json["changed"]) == (2, False)
    assert f"the pool app_backend is there 2 times: {ha.conf}:17, {ha.conf}:20" in result.err


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("backend other\n    server a 127.0.0.1:1 chekc\n", 21, "unknown keyword 'chekc'"),
        ("backend other\n    server a 127.0.0.1:1\n    server a 127.0.0.1:2\n", 22, "already defined at line 21"),
        ("frontend more\n    bind 127.0.0.1:1\n    use_backend nope\n", 0, "nope"),
        ("global\n    no-such-word\n", 21, "no-such-word"),
    ],
)
def test_a_config_that_haproxy_rejects_for_another_reason(ha_place: HaproxyBench, text: str, line: int, said: str) -> None:
    place = pair(ha_place)
    place.conf.write_text(place.conf.read_text() + text)
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-green", "--json")
    assert (result.code, result.json["exit"], result.json["changed"]) == (3, 3, False)
    assert result.json["state"] == "nothing was changed"
    assert "HAProxy refuses the config" in result.json["error"]
    assert said in result.json["error"]
    assert not line or f"{place.conf}:{line}:" in result.json["error"]
    assert ".proxyswitch" not in result.err  # the copy that was tested is nobody's business
    assert versions(place) == {"1"}


def test_an_alert_that_the_config_has_already_is_passed_on(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=NAMED)
    place.conf.write_text(place.conf.read_text() + "backend implicit\n    server x 127.0.0.1:1\n")
    tested = place.attempt([HAPROXY, "-c", "-f", str(place.conf)])
    assert (tested.returncode, "[ALERT]" in tested.stderr) == (0, True)
    result = done(place.run("switch", "app_backend", "app-green"))
    assert "warning: HAProxy complains about the config as it is" in result.err
    assert versions(place) == {"2"}


def test_an_alert_that_comes_with_the_edit_refuses_it(ha_place: HaproxyBench) -> None:
    """Though the exit status is 0. This HAProxy is the real one, and says one thing more about green."""
    place = pair(ha_place)
    grumpy = place.folder / "haproxy"
    grumpy.write_text(
        f'#!/bin/bash\ngrep -q "green.*disabled" "${{@: -1}}" || '
        f'echo "[ALERT]    (1) : config : parsing [$0:1] : green is odd" >&2\nexec {HAPROXY} "$@"\n'
    )
    grumpy.chmod(0o755)
    place.settings(f'[haproxy]\nbinary = "{grumpy}"\n')
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-green", "--json")
    assert (result.code, result.json["changed"]) == (3, False)
    assert "green is odd" in result.json["error"]


# sockets


@pytest.mark.parametrize("level", ["operator", "user"])
@pytest.mark.parametrize(
    "words",
    [
        ("switch", "app_backend", "app-green"),
        ("weight", "app_backend", "app-blue=5"),
        ("set", "app_backend/app-green", "ready"),
    ],
    ids=lambda words: words[0],
)
def test_a_socket_that_may_not_set_is_said_first(ha_place: HaproxyBench, level: str, words: tuple[str, ...]) -> None:
    place = pair(ha_place, conf=CONF.replace("level admin", f"level {level}"))
    with place.nothing_done():
        result = place.run(*words, "--json")
    assert (result.code, result.json["changed"]) == (2, False)
    assert f"{place.admin} has `level {level}`; `set server` needs `level admin`" in result.err
    assert "put `level admin` on its `stats socket` line" in result.err


def test_with_such_a_socket_a_reload_does_it(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=CONF.replace("level admin", "level operator"))
    done(place.run("switch", "app_backend", "app-green", "--mode", "reload"))
    assert (versions(place), states(place)) == ({"2"}, {"app-blue": "maint", "app-green": "ready"})
    again(place, "switch", "app_backend", "app-green")


def test_the_socket_with_the_highest_level_is_taken(ha_place: HaproxyBench) -> None:
    lines = "stats socket {folder}/low.sock level user\n    stats socket {folder}/admin.sock"
    place = pair(ha_place, conf=CONF.replace("stats socket {folder}/admin.sock", lines))
    done(place.run("switch", "app_backend", "app-green"))
    assert versions(place) == {"2"}


def test_a_socket_that_is_gone_is_named(ha: HaproxyBench) -> None:
    before = ha.files()
    ha.admin.rename(ha.folder / "elsewhere.sock")
    for words in (("switch", "app_backend", "app-green"), ("show",), ("get", "app_backend")):
        result = ha.run(*words)
        assert result.code == 3, result
        assert f"{ha.admin}: there is no such socket" in result.err
    assert (ha.files(), ha.journals) == (before, [])
    (ha.folder / "elsewhere.sock").rename(ha.admin)
    assert ha.state_of("app_backend", "app-blue") == "ready"


def test_a_file_in_the_place_of_the_socket_is_named(ha: HaproxyBench) -> None:
    ha.admin.rename(ha.folder / "elsewhere.sock")
    ha.admin.write_text("no socket")
    result = ha.run("switch", "app_backend", "app-green")
    assert result.code == 3
    assert str(ha.admin) in result.err
    assert ha.journals == []
    assert ha.conf.read_text().rstrip().endswith("disabled")
