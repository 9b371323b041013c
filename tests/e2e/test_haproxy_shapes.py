"""Configs and servers in every shape that people give them."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

import pytest

from tests.e2e.haproxy_pairs import again, done, facts, lasts, pair, same_workers, shown, states, versions
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.test_switch import Answer, unix_instance
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


# names


def test_servers_of_the_same_name_in_two_backends(ha_place: HaproxyBench) -> None:
    other = POOLS.replace("app_backend", "app_backend2") + POOLS.replace("app_backend", "app").replace(" disabled", "")
    place = pair(ha_place, pools=POOLS + other)
    before = facts(place, "app_backend2"), facts(place, "app")
    done(place.run("switch", "app_backend", "app-green"))
    done(place.run("weight", "app_backend", "app-green=9"))
    assert (facts(place, "app_backend2"), facts(place, "app")) == before
    lasts(place)
    done(place.run("switch", "app", "app-blue"))
    assert [s["running"]["state"] for s in shown(place, pool="app").values()] == ["ready", "drain"]
    assert states(place)["app-green"] == "ready"


def test_names_that_are_prefixes_of_each_other(ha_place: HaproxyBench) -> None:
    place = pair(
        ha_place, pools=POOLS + "    server app-blue2 127.0.0.1:{blue} disabled\n    server app 127.0.0.1:9 disabled\n"
    )
    done(place.run("weight", "app_backend", "app-green=1", "app-blue2=7"))
    assert {name: row[:2] for name, row in facts(place).items()} == {
        "app-blue": (True, 1),
        "app-green": (True, 1),
        "app-blue2": (True, 7),
        "app": (False, 1),
    }
    done(place.run("set", "app_backend/app-blue", "maint"))
    assert states(place)["app-blue2"] == "ready"


def test_an_address_that_two_servers_have_means_both(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=POOLS + "    server twin 127.0.0.1:{green} disabled\n")
    done(place.run("switch", "app_backend", f"127.0.0.1:{place.green}"))
    assert states(place) == {"app-blue": "drain", "app-green": "ready", "twin": "ready"}


# addresses


@contextmanager
def six() -> Iterator[int]:
    """An instance that listens on the IPv6 loopback."""

    class Six(ThreadingHTTPServer):
        address_family = socket.AF_INET6
        daemon_threads = True

    try:
        server = Six(("::1", 0), Answer)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_an_ipv6_address_is_a_target(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    with six() as port:
        done(place.run("switch", "app_backend", f"[::1]:{port}"))
        assert versions(place) == {"unix"}
        assert place.run("get", "app_backend", "--format", "{host} {port}").out == f"::1 {port}\n"
        again(place, "switch", "app_backend", f"[::1]:{port}")
        lasts(place)
        done(place.run("switch", "app_backend", f"127.0.0.1:{place.blue}"))
    assert versions(place) == {"1"}


@pytest.mark.parametrize("form", ["[::1]:{six}", "::1:{six}", "ipv6@[::1]:{six}", "ipv6@::1:{six}"])
def test_a_server_that_has_one(ha_place: HaproxyBench, form: str) -> None:
    with six() as port:
        place = pair(ha_place, pools=POOLS.replace("127.0.0.1:{green}", form), six=port)
        assert shown(place)["app-green"]["differs"] == []
        with same_workers(place):
            done(place.run("switch", "app_backend", f"[::1]:{port}"))
        assert states(place) == {"app-blue": "drain", "app-green": "ready"}
        assert form.format(six=port) in place.conf.read_text()
        again(place, "switch", "app_backend", "app-green")
        lasts(place)


@pytest.mark.parametrize("form", ["unix@{folder}/app.sock", "{folder}/app.sock"])
def test_a_server_with_a_unix_socket(ha_place: HaproxyBench, form: str) -> None:
    with unix_instance(ha_place.folder / "app.sock"):
        place = pair(ha_place, pools=POOLS.replace("127.0.0.1:{green}", form))
        with same_workers(place):
            done(place.run("switch", "app_backend", "app-green"))
        assert versions(place) == {"unix"}
        again(place, "switch", "app_backend", f"unix:{place.folder}/app.sock")
        lasts(place)


def test_a_unix_socket_where_nobody_listens(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=POOLS.replace("127.0.0.1:{green}", "unix@{folder}/app.sock"))
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-green")
    assert result.code == 3
    assert "app-green" in result.err


def test_a_name_is_looked_up(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=POOLS.replace("127.0.0.1:{green}", "localhost:{green}"))
    assert shown(place)["app-green"]["differs"] == []
    done(place.run("switch", "app_backend", f"localhost:{place.green}"))
    assert versions(place) == {"2"}
    assert f"server app-green localhost:{place.green}" in place.conf.read_text()
    lasts(place)


# sections and modes


def test_a_listen_section(ha_place: HaproxyBench) -> None:
    listen = POOLS.replace("backend app_backend", "listen shop\n    bind 127.0.0.1:{more}")
    more = free_port()
    conf = CONF.replace("    default_backend app_backend\n", "")
    place = pair(ha_place, conf=conf, pools=listen, more=more)
    done(place.run("switch", "shop", "app-green"))
    place.port = more
    assert versions(place) == {"2"}
    lasts(place, "shop")


def test_a_backend_in_tcp_mode(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=CONF.replace("mode http", "mode tcp"))
    (pool,) = place.run("show", "--json").json["pools"]
    assert pool["context"] == "tcp"
    done(place.run("switch", "app_backend", "app-green", "--drain", "20s"))
    assert versions(place) == {"2"}
    lasts(place)


def test_backups(ha_place: HaproxyBench) -> None:
    """HAProxy asks a backup only when no other server is in."""
    place = pair(ha_place, pools=POOLS.replace(" disabled", " backup"))
    assert place.run("get", "app_backend").out == f"127.0.0.1:{place.blue}\n"
    before = place.conf.read_text().split()
    for target, version in (("app-green", "2"), ("app-blue", "1")):
        with same_workers(place):
            done(place.run("switch", "app_backend", target))
        assert versions(place) == {version}
        again(place, "switch", "app_backend", target)
        lasts(place)
    done(place.run("rollback", "app_backend"))
    assert versions(place) == {"2"}
    assert [w for w in place.conf.read_text().split() if w != "disabled"] == before


def test_a_server_that_tracks_another(ha_place: HaproxyBench) -> None:
    follower = "backend follower\n    server f-blue 127.0.0.1:{blue} track app_backend/app-blue\n"
    place = pair(ha_place, pools=POOLS + follower + "    server f-more 127.0.0.1:{green}\n")
    done(place.run("switch", "app_backend", "app-green"))
    assert states(place, "follower")["f-more"] == "ready"
    assert versions(place) == {"2"}
    lasts(place)


# files


def test_several_files_and_a_folder(ha_place: HaproxyBench) -> None:
    place = ha_place
    place.write(place.instance("1"), pools="", green=place.instance("2"))
    (place.folder / "conf.d").mkdir()
    (place.folder / "conf.d" / "20-app.cfg").write_text(place.filled(POOLS))
    (place.folder / "conf.d" / "10-more.cfg").write_text("backend other\n    server app-blue 127.0.0.1:9\n")
    (place.folder / "conf.d" / "notes.txt").write_text("backend app_backend\n")
    (place.folder / "conf.d" / ".hidden.cfg").write_text("nonsense\n")
    place.more.append("conf.d")
    place.start()
    before = place.files()
    done(place.run("switch", "app_backend", "app-green"))
    changed = {name for name, data in place.files().items() if before.get(name) != data}
    assert changed == {"conf.d/20-app.cfg"}
    assert set(place.files()) == set(before)
    assert versions(place) == {"2"}
    lasts(place)
    both = ("--haproxy-conf", str(place.conf), "--haproxy-conf", str(place.folder / "conf.d"))
    place.end()
    done(place.run("switch", "app_backend", "app-blue", *both))


def test_a_config_behind_a_link_stays_a_link(ha_place: HaproxyBench) -> None:
    place = ha_place
    place.write(place.instance("1"), green=place.instance("2"))
    (place.folder / "real").mkdir()
    real = place.folder / "real" / "h.cfg"
    place.conf.rename(real)
    place.conf.symlink_to("real/h.cfg")
    place.start()
    real.chmod(0o640)
    done(place.run("switch", "app_backend", "app-green"))
    assert (versions(place), os.readlink(place.conf), real.stat().st_mode & 0o777) == ({"2"}, "real/h.cfg", 0o640)
    assert sorted(os.listdir(place.folder / "real")) == ["h.cfg"]
    lasts(place)
    again(place, "switch", "app_backend", "app-green", "--haproxy-conf", str(real))


def test_what_stands_around_stays(ha_place: HaproxyBench) -> None:
    """CRLF, quotes, tabs, comments that look like servers."""
    text = (
        "# server app-blue 127.0.0.1:{blue}\r\n"
        "backend app_backend\r\n"
        "\tserver   'app-blue'\t127.0.0.1:{blue}  weight   5 check  inter 200ms # 127.0.0.1:{blue}\r\n"
        '\tserver "app-green" 127.0.0.1:{green}\tdisabled   check # off\r\n'
    )
    place = ha_place
    place.write(place.instance("1"), pools="", green=place.instance("2"))
    place.conf.write_bytes(place.conf.read_bytes().replace(b"\n", b"\r\n") + place.filled(text).encode())
    place.start()
    before, new = place.conf.read_bytes(), place.instance("3")
    done(place.run("switch", "app_backend", f"127.0.0.1:{new}"))
    old, line = f"\t127.0.0.1:{place.blue}  weight".encode(), f"\t127.0.0.1:{new}  weight".encode()
    assert place.conf.read_bytes() == before.replace(old, line)
    done(place.run("switch", "app_backend", "app-green"))
    after = place.conf.read_bytes()
    assert after.count(b"\r\n") == before.count(b"\r\n")
    assert after.count(b"\n") == before.count(b"\n")
    assert re.search(rb"\"app-green\" 127.0.0.1:\d+\s+check # off\r\n\Z", after)
    assert re.search(rb"'app-blue'\t127.0.0.1:\d+  weight   5 check  inter 200ms +disabled # 127", after)
    assert versions(place) == {"2"}
    lasts(place)
