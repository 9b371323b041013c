"""Several pools of one app, and several apps, released as one: all or none. And two releases at a time on one nginx."""

from __future__ import annotations

import pytest

from tests.e2e.haproxy_pairs import done
from tests.e2e.haproxy_support import CONF as HA_CONF
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.shop import Shop, python, wait
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

TWO_POOLS = """\
upstream app_backend {{
    server 127.0.0.1:{blue};
}}
upstream admin {{
    server 127.0.0.1:{blue};  # the same app, other limits
}}
upstream shop {{
    server 127.0.0.1:SHOP;
}}
"""
HA_POOL = """\

backend same_app
    server one 127.0.0.1:{blue}
    server two 127.0.0.1:{green} disabled
"""


def pools_of(made: Shop) -> dict[str, str]:
    """The address that each pool leads to."""
    return {name: made.run("get", name).out.strip() for name in ("app_backend", "admin", "shop")}


@pytest.fixture
def two(web: Shop) -> tuple[Shop, int, int]:
    """The app `web` behind two pools, and beside it the app `shop`; version 1 of both is live. With shop's ports."""
    blue, green = free_port(), free_port()
    web.bench.pools.write_text(TWO_POOLS.replace("SHOP", str(blue)).format(blue=web.blue))
    web.configure(more_pools=["admin"])
    add_shop(web, blue, green)
    done(web.run("start", "shop:blue", "--version", "1"))
    return web, blue, green


def add_shop(web: Shop, blue: int, green: int, **hooks: object) -> None:
    """A second app in the settings, as the first, with one pool."""
    text = web.settings.read_text()
    own = text[text.index("[apps.web]") :].replace("[apps.web]", "[apps.shop]").replace('"app_backend"', '"shop"')
    own = own.replace('more_pools = ["admin"]\n', "")
    own = own.replace(f"127.0.0.1:{web.blue}", f"127.0.0.1:{blue}").replace(f"127.0.0.1:{web.green}", f"127.0.0.1:{green}")
    web.settings.write_text(text + "\n" + own)


def test_all_pools_of_an_app_switch(two: tuple[Shop, int, int]) -> None:
    web = two[0]
    web.deploy("2")
    green = f"127.0.0.1:{web.green}"
    assert pools_of(web) == {"app_backend": green, "admin": green, "shop": f"127.0.0.1:{two[1]}"}
    assert "# the same app, other limits" in web.bench.pools.read_text()
    done(web.run("rollback", "web"))
    assert set(list(pools_of(web).values())[:2]) == {f"127.0.0.1:{web.blue}"}


def test_all_pools_of_an_app_go_back(two: tuple[Shop, int, int]) -> None:
    web = two[0]
    before = web.bench.pools.read_text()
    web.configure(more_pools=["admin"], hooks={"after_switch": "false"})
    web.deploy("2", code=3)
    assert web.bench.pools.read_text() == before
    assert web.instances() == {"blue": "1"}
    assert web.journals() == []


def test_a_pool_that_is_not_there_stops_all_before_anything(two: tuple[Shop, int, int]) -> None:
    web = two[0]
    before = web.bench.pools.read_text()
    web.configure(more_pools=["admim"])
    assert "did you mean 'admin'?" in web.deploy("2", code=2).err
    assert web.bench.pools.read_text() == before
    web.configure(more_pools=["app_backend"])
    assert "a pool is there twice" in web.deploy("2", code=2).err


def test_pools_of_both_proxies(web: Shop, ha_place: HaproxyBench) -> None:
    """The second pool is one of HAProxy: its switch failed by a proxy that does not run leaves nginx as it was."""
    ha_place.write(web.blue, HA_CONF.replace("app_backend", "same_app"), HA_POOL, green=web.green)
    ha_place.start()
    text = f'haproxy = {{ conf = "{ha_place.conf}" }}\n'
    web.configure(more_pools=["haproxy:same_app"])
    web.settings.write_text(text + web.settings.read_text())
    web.deploy("2")
    assert web.bench.version() == "2"
    assert ha_place.version() == "2"
    assert web.instances() == {"green": "2"}
    done(web.run("rollback", "web"))
    assert (web.bench.version(), ha_place.version()) == ("1", "1")
    web.configure(more_pools=["haproxy:same_app"], hooks={"after_switch": "false"})
    web.settings.write_text(text + web.settings.read_text())
    web.deploy("3", code=3)
    assert (web.bench.version(), ha_place.version()) == ("1", "1")


# several apps


def test_two_apps_as_one(two: tuple[Shop, int, int]) -> None:
    web, _, shop_green = two
    result = web.run("deploy", "web", "shop", "--version", "2", "--together")
    assert result.code == 0, result.err
    assert [line.partition(" (")[0] for line in result.out.splitlines()] == ["web: 1", "shop: 1"]
    assert pools_of(web)["shop"] == f"127.0.0.1:{shop_green}"
    assert pools_of(web)["app_backend"] == f"127.0.0.1:{web.green}"
    again = web.run("deploy", "web", "shop", "--version", "2", "--together")
    assert (again.code, again.out) == (0, "")
    done(web.run("rollback", "shop"))  # each can go back alone
    assert pools_of(web)["shop"] == f"127.0.0.1:{two[1]}"


def test_when_one_fails_none_is_released(two: tuple[Shop, int, int]) -> None:
    web, blue, green = two
    before = web.bench.pools.read_text()
    web.configure(more_pools=["admin"])
    add_shop(web, blue, green)
    text = web.settings.read_text()
    web.settings.write_text(text[: text.rindex("hooks = ")] + 'hooks = { after_switch = "false" }\n')
    result = web.run("deploy", "web", "shop", "--version", "2", "--together")
    assert result.code == 3, result.err
    assert "web 1 serves from slot blue, shop 1 serves from slot blue" in result.err
    assert web.bench.pools.read_text() == before
    assert web.instances() == {"blue": "1"}
    assert web.journals() == []
    kinds = [(e["app"], e["result"]) for e in web.history() if e["kind"] == "release"]
    assert kinds == [("web", "failed"), ("shop", "failed")]


@pytest.mark.parametrize("named", ["web", "shop", ""])
def test_a_kill_is_set_right_for_all(two: tuple[Shop, int, int], named: str) -> None:
    web, blue, green = two
    before = web.bench.pools.read_text()
    web.configure(more_pools=["admin"])
    add_shop(web, blue, green)
    text = web.settings.read_text()
    web.settings.write_text(text[: text.rindex("hooks = ")] + 'hooks = { after_switch = "touch here; sleep 60" }\n')
    running = web.bench.spawn("deploy", "web", "shop", "--version", "2", "--together")
    wait((web.bench.folder / "here").exists)
    running.kill()
    running.communicate()
    assert web.bench.pools.read_text() != before
    result = web.run("deploy", named, "--version", "1") if named else web.run("recover")
    assert result.code == 0, result.err
    assert web.bench.pools.read_text() == before
    assert web.instances() == {"blue": "1"}
    assert web.journals() == []


def test_one_after_the_other(two: tuple[Shop, int, int]) -> None:
    web, _, shop_green = two
    result = web.run("deploy", "web", "shop", "--version", "2")
    assert result.code == 0, result.err
    assert pools_of(web)["shop"] == f"127.0.0.1:{shop_green}"


def test_two_apps_release_at_the_same_time(two: tuple[Shop, int, int]) -> None:
    """Each waits for the other but for the moment of the edit: the one that hangs in a hook holds nobody up."""
    web, blue, green = two
    hook = python("import os, time", "open('here', 'w').close()", "while not os.path.exists('go'): time.sleep(0.02)")
    web.configure(more_pools=["admin"], hooks={"before_switch": hook, "after_switch": hook})
    text = web.settings.read_text()
    web.configure(more_pools=["admin"])
    add_shop(web, blue, green)
    shops = web.settings.read_text()
    web.settings.write_text(text + "\n" + shops[shops.index("[apps.shop]") :])
    first = web.spawn("2")
    wait((web.bench.folder / "here").exists)
    second = web.run("deploy", "shop", "--version", "2")
    assert second.code == 0, second.err
    assert first.poll() is None
    (web.bench.folder / "go").touch()
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert pools_of(web) == {
        "app_backend": f"127.0.0.1:{web.green}",
        "admin": f"127.0.0.1:{web.green}",
        "shop": f"127.0.0.1:{green}",
    }
