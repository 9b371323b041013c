"""`maintenance` of an HAProxy pool: a rule in the person's own config, and a reload."""

from __future__ import annotations

import http.client
import shutil
import socket
from pathlib import Path

import pytest

from proxyswitch.system import net
from tests.e2e import test_haproxy_user
from tests.e2e.haproxy_pairs import again, done, facts, lasts, pair, same_workers, states, versions
from tests.e2e.haproxy_support import CONF, POOLS, WITH_STATE, HaproxyBench
from tests.e2e.test_haproxy_structural import in_use, later
from tests.e2e.test_haproxy_user import private
from tests.e2e.test_user import USER

pytest_plugins = ["tests.e2e.haproxy_fixtures"]
copied = test_haproxy_user.copied  # a fixture

ON, OFF = ("maintenance", "app_backend", "on"), ("maintenance", "app_backend", "off")
PAGE = "<p>später</p>"
LISTEN = """\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

listen app_backend
\tbind 127.0.0.1:{port}
\tacl never src 192.0.2.1
\ttcp-request inspect-delay 1s
\ttcp-request content accept
\thttp-request set-header X-Seen yes
\tredirect location / if never
\tserver app-blue 127.0.0.1:{blue}
"""
SOCKET = "global\n    stats socket {folder}/admin.sock level admin\n"


def asked(place: HaproxyBench, method: str = "GET", path: str = "/", body: str | None = None) -> tuple[int, str, str]:
    """Status, Retry-After and page."""
    client = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    try:
        client.request(method, path, body)
        answer = client.getresponse()
        return answer.status, answer.headers.get("Retry-After", ""), answer.read().decode()
    finally:
        client.close()


def page(place: HaproxyBench, text: str = PAGE) -> tuple[str, str]:
    """The option that names a page with this text."""
    path = place.folder / "page.html"
    path.write_text(text, "utf-8")
    place.own()
    return "--message", str(path)


def pages(place: HaproxyBench) -> list[Path]:
    return list((place.state / "maintenance").glob("*"))


@pytest.mark.parametrize("master", [True, False], ids=["master and worker", "one process"])
def test_on_and_off(ha_place: HaproxyBench, master: bool) -> None:
    place = pair(ha_place, master=master)
    message, before, old = page(place), place.conf.read_bytes(), place.workers_now
    result = done(place.run(*ON, *message, "--retry-after", "2m", "--allow", "10.0.0.0/8"))
    assert "app_backend: closed for maintenance: 503, Retry-After 120 s, but for 10.0.0.0/8 (reload" in result.out
    assert result.err == ""
    assert not place.workers_now <= old
    assert asked(place) == (503, "120", PAGE)
    assert asked(place, "HEAD") == (503, "120", "")
    assert asked(place, "POST", "/upload", "x" * 100) == (503, "120", PAGE)
    (text,) = pages(place)
    rule = f'return status 503 content-type "text/html" file "{text}" hdr Retry-After "120" unless {{ src 10.0.0.0/8 }}'
    lines = f"\nbackend app_backend\n    # proxyswitch: closed for maintenance\n    http-request {rule}\n"
    assert place.conf.read_bytes() == before.replace(b"\nbackend app_backend\n", lines.encode())
    assert "app_backend: open again (reload" in done(place.run(*OFF)).out
    assert (place.conf.read_bytes(), versions(place)) == (before, {"1"})
    lasts(place)


def test_without_a_master_socket(ha_place: HaproxyBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HaproxyBench, "known_to_master", lambda _place, _workers: True)
    place = ha_place
    place.write(place.instance("1"))
    place.start("-W", master=False)
    assert not place.master_socket.exists()
    done(place.run(*ON, *page(place)))
    assert asked(place) == (503, "120", PAGE)
    again(place, *ON, *page(place))
    done(place.run(*OFF))
    assert versions(place) == {"1"}


@pytest.mark.parametrize("master", [True, False], ids=["the master's alone", "none"])
def test_without_a_runtime_socket(ha_place: HaproxyBench, monkeypatch: pytest.MonkeyPatch, master: bool) -> None:
    place = ha_place
    monkeypatch.setattr(HaproxyBench, "answering", lambda place: max(net.listeners(place.endpoint), default=0))
    place.write(place.instance("1"), conf=CONF.replace("    stats socket", "    # stats socket"))
    place.start(master=master)
    assert not place.admin.exists()
    before = place.conf.read_bytes()
    done(place.run(*ON, *page(place)))
    assert asked(place) == (503, "120", PAGE)
    result = place.run(*ON, *page(place))
    assert (result.code, result.out, result.err) == (0, "", "")
    done(place.run(*OFF))
    assert (place.conf.read_bytes(), place.version()) == (before, "1")


def test_it_lasts_over_a_reload_and_a_restart(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    done(place.run(*ON, *page(place)))
    lasts(place)
    assert asked(place) == (503, "120", PAGE)


def test_the_same_again_is_silent(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    again(place, *OFF)
    done(place.run(*ON, "--allow", "10.0.0.0/8"))
    again(place, *ON, "--allow", "10.0.0.0/8")
    done(place.run(*OFF))
    again(place, *OFF)


@pytest.mark.parametrize("allow", ["127.0.0.1", "127.0.0.0/8", "::/0 127.0.0.1"])
def test_who_is_allowed_gets_in(ha_place: HaproxyBench, allow: str) -> None:
    place = pair(ha_place)
    done(place.run(*ON, *(word for one in allow.split() for word in ("--allow", one))))
    assert (versions(place), asked(place, "POST", "/upload", "x" * 100)[0]) == ({"1"}, 200)
    done(place.run(*ON, "--allow", "10.0.0.0/8"))
    assert asked(place)[0] == 503


def test_another_page_takes_its_place(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    before = place.conf.read_bytes()
    for number in range(3):
        done(place.run(*ON, *page(place, f"<p>{number}</p>"), "--retry-after", str(number + 1)))
        assert asked(place) == (503, str(number + 1), f"<p>{number}</p>")
    assert len(pages(place)) == 2  # the one that is named, and the one before, for the way back
    done(place.run(*OFF))
    assert place.conf.read_bytes() == before


def test_show_says_it_and_dry_run_only_looks(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    with place.nothing_done():
        result = done(place.run(*ON, "--dry-run"))
    assert ("+    # proxyswitch: closed for maintenance" in result.out, pages(place)) == (True, []), result
    assert done(place.run(*ON, "--allow", "::1", "--json")).json["closed"].endswith("120 s, but for ::1")
    assert "app_backend is closed for maintenance: 503, Retry-After 120 s, but for ::1" in place.run("show").err
    done(place.run(*OFF))
    assert place.run("show", "--json").json["pools"][0]["closed"] is None


def test_the_state_of_servers_survives(ha_place: HaproxyBench) -> None:
    """What only the running process knows, of this pool and of others, with both reloads."""
    other = "backend other\n    server a 127.0.0.1:{blue}\n    server b 127.0.0.1:{green} weight 4\n"
    place = pair(ha_place, pools=POOLS.replace(" disabled", "") + other)
    place.tell("set server app_backend/app-green state drain")
    place.tell("set server app_backend/app-blue weight 17")
    place.tell("set server other/a state maint")
    assert "IP changed" in place.ask("set server other/b addr 127.0.0.7")
    before, how = (facts(place), facts(place, "other")), (states(place), states(place, "other"))
    for words in (ON, OFF):
        done(place.run(*words))
        assert (facts(place), facts(place, "other")) == before
        assert (states(place), states(place, "other")) == how
    assert states(place)["app-green"] == "drain"


def test_with_a_state_file(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=WITH_STATE, pools=POOLS.replace(" disabled", ""))
    place.save_state()
    place.tell("set server app_backend/app-green state drain")
    done(place.run(*ON))
    assert (states(place)["app-green"], asked(place)[0]) == ("drain", 503)
    place.reload()
    assert states(place)["app-green"] == "drain"


def test_a_switch_behind_the_closed_gate(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    done(place.run(*ON, "--allow", "127.0.0.1"))
    with same_workers(place):
        done(place.run("switch", "app_backend", "app-green"))
    assert versions(place) == {"2"}
    done(place.run(*ON))
    assert asked(place)[0] == 503
    done(place.run("rollback", "app_backend"))
    assert asked(place)[0] == 503
    done(place.run(*OFF))
    assert versions(place) == {"1"}


def test_a_listen_section(ha_place: HaproxyBench) -> None:
    """Without a warning of HAProxy: what it obeys before stands before."""
    place = ha_place
    place.write(place.instance("1"), conf=SOCKET + LISTEN, pools="")
    place.start()
    before = place.conf.read_bytes()
    result = done(place.run(*ON, *page(place)))
    assert (result.err, asked(place)) == ("", (503, "120", PAGE))
    assert b"content accept\n\t# proxyswitch: closed for maintenance\n\thttp-request return" in place.conf.read_bytes()
    done(place.run(*OFF))
    assert (place.conf.read_bytes(), place.version()) == (before, "1")


def test_another_file_with_other_line_ends(ha_place: HaproxyBench) -> None:
    place = ha_place
    place.write(place.instance("1"), pools="")
    path = place.write_more("conf.d/pools.cfg", POOLS)
    path.write_bytes(before := path.read_bytes().replace(b"\n", b"\r\n"))
    place.start()
    done(place.run(*ON, *page(place)))
    added = path.read_bytes().replace(b"\r\n", b"")
    assert (b"\n" in added, asked(place)) == (False, (503, "120", PAGE))
    done(place.run(*OFF))
    assert (path.read_bytes(), place.version()) == (before, "1")


# HAProxy and the files do not agree


def test_haproxy_does_not_run(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    place.end()
    before = place.conf.read_bytes()
    assert "(file" in done(place.run(*ON, *page(place))).out
    result = place.run(*ON, *page(place))
    assert (result.code, result.out, result.err) == (0, "", "")
    place.restart()
    assert asked(place) == (503, "120", PAGE)
    place.end()
    done(place.run(*OFF))
    assert place.conf.read_bytes() == before


def test_a_rule_that_a_person_took_out_is_unloaded(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    before = place.conf.read_bytes()
    done(place.run(*ON))
    place.conf.write_bytes(before)
    later(place)
    assert asked(place)[0] == 503
    done(place.run(*OFF))
    assert (place.conf.read_bytes(), versions(place)) == (before, {"1"})


def test_a_page_that_is_gone_is_laid_ready_again(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    done(place.run(*ON, *page(place)))
    shutil.rmtree(place.state / "maintenance")
    assert not place.accepts()
    done(place.run(*ON, *page(place)))
    assert place.accepts()
    shutil.rmtree(place.state / "maintenance")
    done(place.run(*OFF))
    assert (place.accepts(), versions(place)) == (True, {"1"})


def test_a_config_that_haproxy_refuses(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    place.conf.write_text(place.conf.read_text() + "    nonsense\n")
    with place.nothing_done():
        result = place.run(*ON, "--json")
    assert (result.code, result.json["changed"]) == (3, False)
    assert "unknown keyword 'nonsense'" in result.err
    assert versions(place) == {"1"}


def test_a_reload_that_fails_leaves_everything_as_before(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        in_use(place, stranger)
        with place.nothing_done():
            result = place.run(*ON, "--json")
    assert (result.code, result.json["state"]) == (3, "everything is as before")
    assert versions(place) == {"1"}


# what cannot be done


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--message", "/no/such/file"), "No such file"),
        (("--allow", "10.0.0.0/33"), "expected an address or a network"),
        (("--allow", "here"), "expected an address or a network"),
        (tuple(w for n in range(50) for w in ("--allow", f"10.0.0.{n}")), "a line of HAProxy has room for 49"),
        (("--haproxy-socket", "{admin}"), "name the config, with --haproxy-conf"),
    ],
    ids=["page", "network", "name", "many", "socket only"],
)
def test_what_cannot_be_done_is_refused(ha: HaproxyBench, words: tuple[str, ...], said: str) -> None:
    with ha.nothing_done():
        result = ha.run(*ON, *(w.replace("{admin}", str(ha.admin)) for w in words))
    assert (result.code, said in result.err) == (2, True), result.err


def test_as_many_as_a_line_has_room_for(ha: HaproxyBench) -> None:
    done(ha.run(*ON, *(w for n in range(49) for w in ("--allow", f"10.0.0.{n}"))))
    assert asked(ha)[0] == 503


@pytest.mark.parametrize(("size", "tune", "room"), [(15361, "", 15360), (1537, "    tune.bufsize 2560\n", 1536)])
def test_a_page_that_has_no_room_in_a_buffer(ha_place: HaproxyBench, size: int, tune: str, room: int) -> None:
    """HAProxy would answer 500 without it. One byte less goes."""
    place = pair(ha_place, conf=CONF.replace("global\n", f"global\n{tune}"))
    message = page(place, "x" * size)
    with place.nothing_done():
        result = place.run(*ON, *message)
    assert (result.code, f"the page has {size} bytes: HAProxy has room for {room}" in result.err) == (2, True)
    result = done(place.run(*ON, *page(place, "x" * (size - 1))))
    assert (result.err, asked(place)) == ("", (503, "120", "x" * (size - 1)))


@pytest.mark.parametrize("where", ["backend", "defaults", "listen"])
def test_tcp_knows_no_status(ha_place: HaproxyBench, where: str) -> None:
    conf, pools = CONF, POOLS
    if where == "listen":
        conf, pools = SOCKET + LISTEN.replace("mode http", "mode tcp").replace("\thttp-r", "\t# http-r"), ""
    elif where == "defaults":
        conf = CONF.replace("mode http", "mode tcp")
    else:
        conf = CONF.replace("frontend www\n", "frontend www\n    mode tcp\n")
        pools = POOLS.replace("backend app_backend\n", "backend app_backend\n    mode tcp\n")
    place = pair(ha_place, conf=conf, pools=pools)
    with place.nothing_done():
        result = place.run(*ON)
    assert (result.code, "is in mode tcp: there is no status 503" in result.err) == (2, True), result.err
    again(place, *OFF)


@pytest.mark.parametrize(("condition", "code"), [("", 2), (" if { path /alive }", 0)])
def test_defaults_that_let_clients_pass(ha_place: HaproxyBench, condition: str, code: int) -> None:
    conf = CONF.replace("defaults\n", "defaults fast\n").replace("\nfrontend www\n", "\nfrontend www from fast\n")
    own = f"defaults own\n    mode http\n    timeout connect 5s\n    timeout server 5s\n    http-request allow{condition}\n"
    place = pair(ha_place, conf=conf, pools=own + POOLS.replace("app_backend\n", "app_backend from own\n"))
    result = place.run(*ON)
    assert (result.code, f"`http-request allow{condition}` of the defaults lets" in result.err) == (code, True), result.err
    assert asked(place)[0] == (200 if code else 503)


def test_an_old_haproxy(ha_place: HaproxyBench, tmp_path: Path) -> None:
    place = ha_place
    place.write(1)
    old = place.folder / "haproxy"
    old.write_text("#!/bin/sh\necho 'HA-Proxy version 2.1.4-1 2020/04/02'\n")
    old.chmod(0o755)
    result = place.run(*ON, env={"PATH": str(place.folder)})
    assert (result.code, "this HAProxy is 2.1.4-1" in result.err) == (2, True), result.err
    assert b"http-request" not in place.conf.read_bytes()


# other users


@pytest.mark.root
@pytest.mark.parametrize("root", [False, True], ids=["by its user", "by root"])
def test_a_private_haproxy(copied: Path, haproxy_binary: str, root: bool) -> None:
    """HAProxy loads its config as its own user, whoever has asked for that."""
    with private(copied) as place:
        place.user = "" if root else USER
        before, message = place.conf.read_bytes(), page(place)
        place.folder.chmod(0o711)
        done(place.run(*ON, *message))
        assert (asked(place), place.conf.owner()) == ((503, "120", PAGE), USER)
        assert [p.owner() for p in pages(place)] == ["root" if root else USER]
        done(place.run(*OFF))
        assert (place.conf.read_bytes(), versions(place)) == (before, {"1"})
        place.user = USER
        place.own()
