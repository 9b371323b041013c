"""Changes that a running HAProxy cannot always be told: servers that are added and taken away, and reloads that fail."""

from __future__ import annotations

import os
import socket

import pytest

from proxyswitch.system import clock
from tests.e2e.haproxy_pairs import again, done, facts, lasts, pair, same_workers, states, versions
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.support import eventually
from tests.e2e.test_switch import unix_instance

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


def with_third(place: HaproxyBench) -> str:
    """The words that give traffic to blue and to a server that is not in the pool; returns the new address."""
    return f"127.0.0.1:{place.instance('3')}"


def test_a_server_is_added_without_a_reload_and_taken_back(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    before, new = place.conf.read_bytes(), with_third(place)
    with same_workers(place):
        result = done(place.run("switch", "app_backend", "app-blue", new, "--json"))
    assert (result.json["mode"], result.json["to"]) == ("runtime", ["app-blue", "app_backend-3"])
    assert place.conf.read_bytes() == before + f"    server app_backend-3 {new} check\n".encode()
    assert versions(place) == {"1", "3"}
    with same_workers(place):
        again(place, "switch", "app_backend", "app-blue", new)
        done(place.run("rollback", "app_backend"))
    assert (place.conf.read_bytes(), list(states(place)), versions(place)) == (before, ["app-blue", "app-green"], {"1"})


def test_an_added_server_is_checked_from_the_start(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    new = with_third(place)
    done(place.run("switch", "app_backend", "app-blue", new))
    place.started[-1].kill()
    place.started[-1].wait()

    def status() -> str:
        rows = [
            row.split(",") for row in place.ask("show stat").splitlines() if row.startswith("app_backend,app_backend-3,")
        ]
        return rows[0][17]

    from tests.e2e.support import eventually

    assert eventually(lambda: status() == "DOWN")


def test_an_added_server_lasts(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    done(place.run("switch", "app_backend", with_third(place), "app-green", "app-blue"))
    lasts(place)
    assert versions(place) == {"1", "2", "3"}


def test_two_servers_are_added_at_once(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    with same_workers(place):
        done(place.run("switch", "app_backend", "app-blue", with_third(place), f"127.0.0.1:{place.instance('4')}"))
    assert list(states(place)) == ["app-blue", "app-green", "app_backend-3", "app_backend-4"]
    assert versions(place, 9) == {"1", "3", "4"}


@pytest.mark.parametrize(
    "pools",
    [
        POOLS.replace("app_backend\n", "app_backend\n    default-server inter 300ms\n"),
        POOLS.replace("app_backend\n", "app_backend\n    balance static-rr\n"),
    ],
    ids=["default-server", "static-rr"],
)
def test_what_forbids_it_makes_it_a_reload(ha_place: HaproxyBench, pools: str) -> None:
    place = pair(ha_place, pools=pools)
    before, old = place.conf.read_bytes(), place.workers_now
    result = done(place.run("switch", "app_backend", "app-blue", with_third(place), "--json"))
    assert result.json["mode"] == "reload"
    assert not place.workers_now <= old
    assert versions(place) == {"1", "3"}
    lasts(place)
    done(place.run("rollback", "app_backend"))
    assert (place.conf.read_bytes(), list(states(place)), versions(place)) == (before, ["app-blue", "app-green"], {"1"})


def test_mode_runtime_refuses_a_server_that_takes_a_reload(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=POOLS.replace("app_backend\n", "app_backend\n    balance static-rr\n"))
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-blue", with_third(place), "--mode", "runtime")
    assert result.code == 2
    assert "--mode runtime: this change of app_backend takes a reload" in result.err


def test_nobody_listens_where_the_new_server_should_be(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    place.started[1].kill()
    place.started[1].wait()
    place.conf.write_text(place.conf.read_text().replace(f"    server app-green 127.0.0.1:{place.green}", "    # "))
    place.reload()
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-blue", f"127.0.0.1:{place.green}")
    assert result.code == 3
    assert f"127.0.0.1:{place.green}" in result.err


def test_a_unix_socket_takes_a_reload_each_way(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    path = place.folder / "app.sock"
    with unix_instance(path):
        old = place.workers_now
        assert done(place.run("switch", "app_backend", f"unix:{path}", "--json")).json["mode"] == "reload"
        assert not place.workers_now <= old
        assert versions(place) == {"unix"}
        assert place.run("get", "app_backend").out == f"unix:{path}\n"
        again(place, "switch", "app_backend", f"unix:{path}")
        place.restart()
        assert versions(place) == {"unix"}
    assert eventually(lambda: place.servers["app_backend", "app-blue"]["srv_op_state"] == "0")  # nobody is there any more
    done(place.run("rollback", "app_backend"))
    assert versions(place) == {"1"}


# what only the running process knew of others


def test_states_of_other_pools_survive_our_reload(ha_place: HaproxyBench) -> None:
    other = (
        "backend other\n    server a 127.0.0.1:{blue}\n    server b 127.0.0.1:{green} weight 4\n    server c 127.0.0.1:9\n"
    )
    place = pair(ha_place, pools=POOLS + other)
    place.tell("set server other/a state drain")
    place.tell("set server other/b weight 77")
    place.tell("set server other/c state maint")
    assert "IP changed" in place.ask("set server other/c addr 127.0.0.7")
    before, how = facts(place, "other"), states(place, "other")
    done(place.run("switch", "app_backend", "app-green", "--mode", "reload"))
    assert (facts(place, "other"), states(place, "other")) == (before, how)
    assert versions(place) == {"2"}


def test_states_of_its_other_servers_survive_our_reload(ha_place: HaproxyBench) -> None:
    """`set` speaks of one server; how the others of that pool run is not its business."""
    third = POOLS.replace(" disabled", "") + "    server third 127.0.0.1:{blue}\n    balance static-rr\n"
    place = pair(ha_place, pools=third)
    place.tell("set server app_backend/third state drain")
    assert done(place.run("weight", "app_backend", "app-blue=9", "--json")).json["mode"] == "reload"
    assert states(place) == {"app-blue": "ready", "app-green": "ready", "third": "drain"}


def test_an_edit_of_another_pool_that_goes_live_with_our_reload_is_not_undone(ha_place: HaproxyBench) -> None:
    other = "backend other\n    server a 127.0.0.1:{blue} weight 3\n    server b 127.0.0.1:{green}\n"
    place = pair(ha_place, pools=POOLS + other + "backend gone\n    server a 127.0.0.1:9\n")
    place.tell("set server other/b state drain")
    new = place.instance("3")
    text = place.conf.read_text().replace(f"a 127.0.0.1:{place.blue} weight 3", f"a 127.0.0.1:{new} weight 5")
    place.conf.write_text(text.replace("backend gone\n    server a 127.0.0.1:9\n", ""))
    later(place)
    result = done(place.run("switch", "app_backend", "app-green", "--mode", "reload"))
    assert "this reload makes that live too" in result.err
    assert facts(place, "other")["a"] == (True, 5, f"127.0.0.1:{new}")
    assert states(place, "other")["b"] == "drain"


# reloads that fail


def in_use(place: HaproxyBench, stranger: socket.socket) -> None:
    """A person's own edit that passes `haproxy -c`: a port which another program has."""
    place.conf.write_text(place.conf.read_text() + f"frontend z\n    bind 127.0.0.1:{stranger.getsockname()[1]}\n")
    later(place)
    assert place.accepts()


def later(place: HaproxyBench) -> None:
    """The file counts as changed after the start, of which the time is known to 0.01 s only."""
    os.utime(place.conf, (at := clock.wall() + 5, at))


def test_a_reload_that_haproxy_refuses_leaves_everything_as_before(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        in_use(place, stranger)
        with place.nothing_done():
            result = place.run("switch", "app_backend", "app-green", "--mode", "reload", "--json")
    assert (result.code, result.json["exit"], result.json["changed"]) == (3, 3, False)
    assert "HAProxy did not take the reload" in result.err
    assert result.json["state"] == "everything is as before"
    assert f"{place.conf} was changed after haproxy last loaded it" in result.err
    assert versions(place) == {"1"}


def test_the_same_without_a_master_says_what_it_has_cost(ha_place: HaproxyBench) -> None:
    """The second process had taken the admin socket before it found that it cannot bind."""
    place = pair(ha_place, master=False)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        in_use(place, stranger)
        workers = place.workers_now
        with place.taken_back():
            result = place.run("switch", "app_backend", "app-green", "--mode", "reload", "--json")
    assert (result.code, result.json["changed"], place.workers_now) == (3, False, workers)
    assert f"cannot bind socket (Address already in use) for [127.0.0.1:{stranger_port(place)}]" in result.err
    assert f"{place.admin} answers no more until HAProxy is restarted" in result.json["state"]
    assert versions(place) == {"1"}


def stranger_port(place: HaproxyBench) -> str:
    return place.conf.read_text().rpartition(":")[2].strip()


def test_a_runtime_change_is_done_where_a_reload_would_fail(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        in_use(place, stranger)
        with same_workers(place):
            done(place.run("switch", "app_backend", "app-green"))
    assert versions(place) == {"2"}
    assert str(place.conf) in place.run("show").err  # still pending: another's edit is in it


def test_default_servers_that_disable_are_overcome(ha_place: HaproxyBench) -> None:
    conf = CONF.replace("mode http\n", "mode http\n    default-server disabled\n")
    place = pair(ha_place, conf=conf, pools=POOLS.replace("200ms  ", "200ms enabled  "))
    done(place.run("switch", "app_backend", "app-green"))
    assert versions(place) == {"2"}
    lasts(place)
