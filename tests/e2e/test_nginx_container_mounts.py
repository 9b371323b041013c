"""nginx in a container: what is mounted how, and under which names."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.instant_support import CONF_INSTANT, POOLS_INSTANT
from tests.e2e.nginx_container_support import Boxed, boxed, wrapper
from tests.e2e.support import LIMIT, eventually
from tests.runners.docker import Docker

pytestmark = pytest.mark.root


@pytest.fixture
def place(docker: Docker, prefix: str, tmp_path: Path) -> Iterator[Boxed]:
    with boxed(docker, prefix, tmp_path) as made:
        made.write(made.instance("1"))
        yield made


@pytest.fixture
def single(place: Boxed) -> Boxed:
    """The file of the pool is mounted by itself."""
    place.up(f"{place.conf}:/etc/nginx/nginx.conf:ro", f"{place.pools}:/etc/nginx/pools.conf:ro")
    return place


def target(place: Boxed, version: str = "2") -> str:
    return f"127.0.0.1:{place.instance(version)}"


def seen_inside(place: Boxed) -> str:
    return place.told("cat", "/etc/nginx/pools.conf") + "\n"


def test_a_file_that_is_mounted_by_itself_is_rewritten_in_place(single: Boxed) -> None:
    """Renamed over, the container would keep the old one."""
    inode, green = single.pools.stat().st_ino, target(single)
    result = single.run("switch", "app_backend", green)
    assert result.code == 0, result.err
    assert "is mounted by itself into a container: it is rewritten in place" in result.err
    assert single.pools.stat().st_ino == inode
    assert green in seen_inside(single) == single.pools.read_text()
    assert single.version() == "2"
    assert single.run("rollback", "app_backend").code == 0
    assert seen_inside(single) == single.pools.read_text()
    assert single.version() == "1"
    assert "pools.conf in there, mounted by itself" in single.run("doctor").out


def test_one_that_is_refused_is_put_back_in_place(single: Boxed) -> None:
    text = single.pools.read_text()
    with single.nothing_done():
        assert single.run("switch", "app_backend", "no-such-host.invalid:80").code == 3
    assert seen_inside(single) == text


def test_one_that_was_killed_in_the_midst_is_put_back_in_place(single: Boxed) -> None:
    asked, text = single.folder / "state-asked", single.pools.read_text()
    single.configure(wrapper(single, f'case "$*" in *" -t "*) touch {asked}; sleep 60;; esac'))
    running = single.spawn("switch", "app_backend", "no-such-host.invalid:80")
    assert eventually(asked.exists)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=LIMIT)
    assert "no-such-host" in seen_inside(single)
    single.configure()
    assert single.run("recover").code == 0
    assert seen_inside(single) == text == single.pools.read_text()


def test_one_that_an_editor_has_replaced_is_not_seen_any_more(single: Boxed) -> None:
    other = single.folder / "other"
    other.write_text(single.pools.read_text())
    os.replace(other, single.pools)
    with single.nothing_done():
        result = single.run("switch", "app_backend", target(single))
    assert result.code == 3
    assert f"nginx's container does not see what was written to {single.pools}" in result.err
    single.docker.run("restart", single.container)
    single.answers()
    assert single.run("switch", "app_backend", target(single)).code == 0
    assert single.version() == "2"


def test_links_lead_where_they_lead_in_there(place: Boxed) -> None:
    """As sites-enabled/shop does, which names /etc/nginx/sites-available/shop."""
    (place.inside / "available").mkdir()
    place.pools.rename(place.inside / "available/shop")
    (place.inside / "enabled").mkdir()
    link = ["ln", "-s", "/etc/nginx/available/shop", str(place.inside / "enabled/shop")]
    subprocess.run(link, check=True, timeout=LIMIT)  # not by us: no test names /etc
    place.conf.write_text(place.conf.read_text().replace("include pools.conf;", "include /etc/nginx/enabled/*;"))
    place.up()
    result = place.run("switch", "app_backend", target(place))
    assert result.code == 0, result.err
    assert (place.inside / "enabled/shop").is_symlink()
    assert place.version() == "2"


def test_a_file_that_is_part_of_the_container_is_refused(place: Boxed) -> None:
    """What would be lost with it. The rest of the config is read in there."""
    place.up(f"{place.inside}:/shop:ro", shell="cp -r /shop/. /etc/nginx && nginx -g 'daemon off;'")
    assert place.run("get", "app_backend").code == 0
    result = place.run("switch", "app_backend", target(place))
    assert result.code == 2
    assert f"{place.container}:/etc/nginx/pools.conf: this file is part of the container" in result.err


def test_paths_that_are_wrong_are_noticed(place: Boxed) -> None:
    """What is changed here is not what nginx reads."""
    place.up(f"{place.inside}:/shop:ro", shell="cp -r /shop/. /etc/nginx && nginx -g 'daemon off;'")
    place.configure(paths={"/etc/nginx": "nginx"})
    with place.nothing_done():
        result = place.run("switch", "app_backend", target(place))
    assert result.code == 3
    assert "does not see what was written to" in result.err


def test_adopt_is_refused(place: Boxed) -> None:
    place.up()
    with place.nothing_done():
        result = place.run("adopt", "app_backend", "--yes")
    assert result.code == 2
    assert "nginx runs in a container" in result.err


def test_a_pool_in_instant_mode_whose_flags_are_mounted(place: Boxed) -> None:
    """Its config was written by hand, with the name that the folder has in there."""
    flags = place.inside / "flags/app_backend"
    flags.mkdir(parents=True)
    blue, green = place.instance("1"), place.instance("2")
    conf = CONF_INSTANT.replace("{flags}", "/etc/nginx/flags/app_backend").replace("{key}", "$remote_addr")
    place.write(blue, conf=conf, pools=POOLS_INSTANT.replace("{green}", str(green)))
    place.up()
    before = place.workers.active
    result = place.run("switch", "app_backend", f"127.0.0.1:{green}", "--drain", "20s", "--json")
    assert result.code == 0, result.err
    assert result.json["mode"] == "instant"
    assert (flags / "green").is_symlink()
    assert place.version() == "2"
    assert place.run("rollback").code == 0
    assert place.version() == "1"
    assert place.workers.active == before
