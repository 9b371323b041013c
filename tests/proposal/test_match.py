"""From what was seen to the apps that are proposed: pure."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.proposal import checked, names, write
from proxyswitch.proposal.proposed import CHECK, FILL, Key, Proposed, Table
from proxyswitch.proposal.seen import EcosystemApp, Pm2App, Release, Service, Unit
from tests.proposal.support import answers, app_of, at, listener, only, pool, proposed, seen, server, tree

ONE = pool("app_backend", server("127.0.0.1:3001"))
TWO = pool("app_backend", server("127.0.0.1:3001"), server("127.0.0.1:3002", 3, down=True))


def test_a_plain_process() -> None:
    app = app_of(seen(ONE, listeners=(listener(),), asked=answers(), free={at("127.0.0.1:3001"): at("127.0.0.1:3005")}))
    assert app["pool"] == "app_backend"
    assert app["slots"] == {"blue": "127.0.0.1:3001", "green": "127.0.0.1:3005"}
    assert app["process"]["command"] == ["/usr/bin/env", "flask", "run", "--port", "{port}"]
    assert app["process"]["cwd"] == "/srv/web"
    assert app["process"]["adopt_port"] is True
    assert app["health"] == {"url": "http://{address}/health"}


def test_a_guess_is_marked_and_each_line_says_where_it_is_from() -> None:
    assert f"# {FILL}a free place" in write.app(only(seen(ONE, listeners=(listener(),))))
    text = write.app(only(seen(ONE, listeners=(listener(),), free={at("127.0.0.1:3001"): at("127.0.0.1:3002")})))
    assert f"# {CHECK}a guess: nobody listens there" in text
    assert "# takes the traffic now: /srv/nginx.conf:2\n" in text
    assert "as process 70 runs" in text
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# "), line


def test_the_other_server_is_the_other_slot() -> None:
    app = app_of(seen(TWO, listeners=(listener(),)))
    assert app["slots"] == {"blue": "127.0.0.1:3001", "green": "127.0.0.1:3002"}


def test_names_of_servers_name_the_slots() -> None:
    green = server("127.0.0.1:3002", 3, name="app-green")
    blue = server("127.0.0.1:3001", 2, name="app-blue", down=True)
    world = seen(pool("app_backend", blue, green, proxy="haproxy"), listeners=(listener("127.0.0.1:3002"),))
    app = app_of(world)
    assert app["slots"] == {"green": "127.0.0.1:3002", "blue": "127.0.0.1:3001"}
    assert app["proxy"] == "haproxy"


def test_several_that_take_traffic_roll() -> None:
    servers = (server("127.0.0.1:3001"), server("127.0.0.1:3002", 3))
    world = seen(pool("app", *servers), listeners=(listener(), listener("127.0.0.1:3002", pid=71)))
    app = app_of(world)
    assert app["strategy"] == "rolling"
    assert app["slots"] == {"s1": "127.0.0.1:3001", "s2": "127.0.0.1:3002"}


def test_several_that_are_run_differently_are_left_out() -> None:
    servers = (server("127.0.0.1:3001"), server("127.0.0.1:3002", 3))
    unit = listener("127.0.0.1:3002", unit=Unit("web"))
    assert (
        only(seen(pool("app", *servers), listeners=(listener(), unit))).doubt
        == "its servers are not all run in the same way"
    )


def test_a_release_folder_becomes_the_version() -> None:
    release = Release("/srv/web/current", "/srv/web/releases/{version}")
    words = ("/srv/web/releases/41/run", "-p", "3001")
    app = app_of(seen(ONE, listeners=(listener(words=words, cwd="/srv/web/releases/41", release=release),)))
    assert app["process"]["command"] == ["/srv/web/releases/{version}/run", "-p", "{port}"]
    assert app["process"]["cwd"] == "/srv/web/releases/{version}"


def test_the_user_is_named_only_by_root() -> None:
    who = (listener(user="www-data"),)
    assert app_of(seen(ONE, listeners=who, root=True))["process"]["user"] == "www-data"
    assert "user" not in app_of(seen(ONE, listeners=who))["process"]


# who runs it


@pytest.mark.parametrize(
    ("unit", "pattern", "slots"),
    [
        ("web@blue", "web@{slot}", {"blue": 3001, "green": 3002}),
        ("web@green", "web@{slot}", {"green": 3001, "blue": 3002}),
        ("web@3001", "web@{port}", {"blue": 3001, "green": 3002}),
        ("web-a", "web-{slot}", {"a": 3001, "b": 3002}),
    ],
)
def test_a_unit_a_slot(unit: str, pattern: str, slots: dict[str, int]) -> None:
    app = app_of(seen(TWO, listeners=(listener(unit=Unit(unit)),)))
    assert app["systemd"] == {"unit": pattern}
    assert app["slots"] == {name: f"127.0.0.1:{port}" for name, port in slots.items()}


def test_one_unit_is_replaced_in_place() -> None:
    app = app_of(seen(ONE, listeners=(listener(unit=Unit("web", "user", reloads=True)),)))
    assert app["systemd"] == {"unit": "web", "scope": "user", "reload": "reload"}
    assert app["slots"] == {"main": "127.0.0.1:3001"}
    assert app_of(seen(ONE, listeners=(listener(unit=Unit("web")),)))["systemd"]["reload"] == "try-restart"


def test_a_unit_that_only_names_the_port_is_a_doubt() -> None:
    app = only(seen(ONE, units=(Unit("web", path="/etc/systemd/system/web.service", ports=(3001,)),)))
    assert app.driver == "systemd"
    assert "that port stands in /etc/systemd/system/web.service" in app.doubt


def test_pm2() -> None:
    cluster = Pm2App("web", "cluster_mode", 3001, waits=True)
    assert "allow_gap" not in write.app(only(seen(ONE, listeners=(listener(pm2=cluster),))))
    assert app_of(seen(ONE, listeners=(listener(pm2=cluster),)))["pm2"] == {"name": "web"}
    fork = Pm2App("web", "fork_mode", 3001, home="/srv/.pm2", user="www-data")
    table = app_of(seen(ONE, listeners=(listener(pm2=fork),), root=True))["pm2"]
    assert table == {"name": "web", "home": "/srv/.pm2", "user": "www-data"}
    assert "# allow_gap = true\n" in write.app(only(seen(ONE, listeners=(listener(pm2=fork),))))


def test_pm2_with_an_app_a_slot() -> None:
    blue = Pm2App("web-blue", "fork_mode", 3001, "/srv/web/app.js", "/srv/web")
    app = app_of(seen(TWO, listeners=(listener(pm2=blue),)))
    assert app["pm2"] == {"name": "web-{slot}", "script": "/srv/web/app.js", "cwd": "/srv/web"}
    file = EcosystemApp("web-blue", "/srv/ecosystem.config.json", 3001)
    table = app_of(seen(TWO, listeners=(listener(pm2=blue),), ecosystem=(file,)))["pm2"]
    assert table == {"name": "web-{slot}", "ecosystem": "/srv/ecosystem.config.json"}


def test_an_ecosystem_file_of_which_nothing_runs_is_a_doubt() -> None:
    app = only(seen(ONE, ecosystem=(EcosystemApp("web", "/srv/pm2.json", 3001),)))
    assert (app.driver, app.sure) == ("pm2", False)


def test_compose() -> None:
    proxy = listener(title="/usr/bin/docker-proxy -host-port 3001", words=())
    blue = Service("app-blue", (3001,), ("/srv/compose.yaml",), "shop:1")
    app = app_of(seen(TWO, listeners=(proxy,), services=(blue,)))
    assert app["compose"] == {"service": "app-{slot}", "files": ["/srv/compose.yaml"]}
    assert app["slots"] == {"blue": "127.0.0.1:3001", "green": "127.0.0.1:3002"}
    text = write.app(only(seen(TWO, listeners=(proxy,), services=(blue,))))
    assert '# image = "shop:{version}"' in text


def test_a_compose_file_counts_while_nothing_runs_and_not_for_a_plain_process() -> None:
    blue = Service("app-blue", (3001,), ("/srv/compose.yaml",))
    assert only(seen(TWO, services=(blue,))).driver == "compose"
    assert only(seen(TWO, services=(blue,), listeners=(listener(),))).driver == "process"


def test_one_compose_service_with_a_fixed_port_is_a_doubt() -> None:
    assert "fixed port" in only(seen(ONE, services=(Service("app", (3001,)),))).doubt


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("shop:1", "shop:{version}"),
        ("registry.example:5000/shop", "registry.example:5000/shop:{version}"),
        ("a/shop:1@sha256:00", "a/shop:{version}"),
    ],
)
def test_swarm(image: str, wanted: str) -> None:
    app = app_of(seen(ONE, services=(Service("shop_app", (3001,), image=image, swarm=True),)))
    assert app["swarm"] == {"service": "shop_app", "image": wanted}
    assert app["slots"] == {"main": "127.0.0.1:3001"}


def test_gunicorn_needs_its_link() -> None:
    words = ("/srv/web/releases/4/python", "-m", "gunicorn", "-D", "-p", "/run/web.pid", "app:app", "-b", "127.0.0.1:3001")
    title = " ".join(words)
    doubtful = only(seen(ONE, listeners=(listener(title=title, words=words),)))
    assert (doubtful.driver, doubtful.doubt.partition(" by ")[0]) == ("gunicorn", "gunicorn replaces a version")
    release = Release("/srv/web/current", "/srv/web/releases/{version}", True)
    where: dict[str, Any] = {"cwd": "/srv/web/releases/4", "release": release}
    assert app_of(seen(ONE, listeners=(listener(title=title, words=words, **where),)))["gunicorn"] == {
        "command": ["/srv/web/current/python", "-m", "gunicorn", "app:app", "-b", "{address}"],
        "current": "/srv/web/current",
        "release": "/srv/web/releases/{version}",
        "pidfile": "/run/web.pid",
    }
    without = only(seen(ONE, listeners=(listener(title=title, words=(*words[:3], *words[6:]), **where),)))
    assert "without --pid" in without.doubt
    past = {**where, "release": Release("/srv/web/current", "/srv/web/releases/{version}")}
    assert (
        "was not started through the link" in only(seen(ONE, listeners=(listener(title=title, words=words, **past),))).doubt
    )


# what is left out


def test_what_our_settings_refuse_is_a_comment() -> None:
    """The last net: whatever the rest proposes, the file can be used."""
    slots = Table(("apps", "web", "slots"), (Key("a b", "127.0.0.1:1", "a name that no slot can have"),))
    command = Table(("apps", "web", "process"), (Key("command", ["x"], "what starts it"),))
    (app,) = checked.checked([Proposed("web", "web", "nginx", "process", (slots, command))])
    assert "the name of a slot is made of letters" in app.doubt
    assert tomllib.loads(write.app(app)) == {}


def test_nobody_listens() -> None:
    app = only(seen(ONE))
    assert "nobody listens at 127.0.0.1:3001" in app.doubt
    assert FILL in write.app(app)
    assert tree(seen(ONE)) == {}


def test_who_may_not_be_seen() -> None:
    assert "only root may see" in only(seen(ONE, listeners=(listener(pid=0, words=(), title=""),))).doubt


def test_a_title_and_a_secret_are_doubts() -> None:
    assert "shows a title" in only(seen(ONE, listeners=(listener(words=(), title="puma: web"),))).doubt
    assert "secret" in only(seen(ONE, listeners=(listener(masked=True),))).doubt


def test_another_machine() -> None:
    far = pool("app", server("10.0.0.5:80"))
    assert "10.0.0.5 is not this machine" in only(seen(far, remote=frozenset({"10.0.0.5"}))).doubt


def test_an_address_that_cannot_be_read() -> None:
    odd = pool("app", server("127.0.0.1:3001"), server("$backend", 3))
    assert "$backend" in only(seen(odd, listeners=(listener(),))).doubt
    assert only(seen(pool("app", server("$backend")))).sure is False


def test_a_pool_without_servers_is_no_app() -> None:
    assert proposed(seen(pool("app"))) == []


# pools


def test_pools_with_the_same_servers_are_one_app() -> None:
    again = pool("api", server("127.0.0.1:3001", 9))
    (app,) = proposed(seen(ONE, again, listeners=(listener(),)))
    assert app_of(seen(ONE, again, listeners=(listener(),)))["more_pools"] == ["api"]
    assert app.name == "app"


def test_a_pool_of_tcp_is_not_asked_for_a_page() -> None:
    for context in ("stream", "tcp"):
        world = seen(pool("db", server("127.0.0.1:3001"), context=context), listeners=(listener(),))
        assert app_of(world, "db")["health"] == {"url": "tcp://{address}"}


def test_an_instant_pool_has_its_slots() -> None:
    servers = (
        server("127.0.0.1:3001", 2, slot="blue", down=True),
        server("127.0.0.1:3002", 5, slot="green"),
    )
    app = app_of(seen(pool("app", *servers), listeners=(listener("127.0.0.1:3002"),)))
    assert app["slots"] == {"blue": "127.0.0.1:3001", "green": "127.0.0.1:3002"}


def test_unix_and_ipv6() -> None:
    sock = pool("app", server("unix:/run/app.sock"))
    words = ("env", "serve", "--bind", "unix:/run/app.sock")
    world = seen(sock, listeners=(listener("unix:/run/app.sock", words=words),), asked=answers("unix:/run/app.sock", "/up"))
    app = app_of(world)
    assert app["slots"]["blue"] == "unix:/run/app.sock"
    assert app["process"]["command"] == ["env", "serve", "--bind", "{address}"]
    assert app["health"]["url"] == "http://{address}/up"
    six = app_of(seen(pool("app", server("[::1]:3001")), listeners=(listener("[::1]:3001"),)))
    assert six["slots"] == {"blue": "[::1]:3001", "green": "[::1]:3002"}


# names


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("app_backend", "app"),
        ("bk_web", "web"),
        ("shop-upstream", "shop"),
        ("backend", "backend"),
        ("a b.c", "a-b-c"),
        ("ü", "app"),
    ],
)
def test_the_name_of_an_app(name: str, wanted: str) -> None:
    assert names.app_name(pool(name), set()) == wanted


def test_names_do_not_clash() -> None:
    assert names.app_name(pool("app_backend"), {"app", "app-2"}) == "app-3"


def test_the_name_of_a_slot() -> None:
    assert names.split("web") == ("web", "")
    assert names.split("weba") == ("weba", "")
    assert names.split("web_blue") == ("web_{slot}", "blue")
    assert names.split("web-13001", 3001) == ("web-13001", "")
    assert names.other("blue") == "green"
    assert names.other("green") == "blue"
    assert names.other("staging") == "green"


def test_no_two_apps_share_a_guess() -> None:
    free: dict[Endpoint, Endpoint] = {at("127.0.0.1:3001"): at("127.0.0.1:3003"), at("127.0.0.1:3002"): at("127.0.0.1:3004")}
    pools = (pool("a", server("127.0.0.1:3001")), pool("b", server("127.0.0.1:3002")))
    apps = tree(seen(*pools, listeners=(listener(), listener("127.0.0.1:3002")), free=free))["apps"]
    assert apps["a"]["slots"]["green"] == "127.0.0.1:3003"
    assert apps["b"]["slots"]["green"] == "127.0.0.1:3004"
