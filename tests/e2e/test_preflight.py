"""A release that there is no room for does not begin: real limits of control groups, small disks, real instances."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.system import net, proc
from tests.cgroups import Group, memory_group
from tests.disks import tmpfs
from tests.e2e.gunicorn_support import gunicorn_web
from tests.e2e.shop import Shop, shop, wait
from tests.e2e.support import APP, Bench, Run, bench
from tests.e2e.test_deploy import untouched

MB = 2**20
# Version 1 has 250 MB, all others little.
FAT = ["sh", "-c", '[ "$APP_VERSION" = 1 ] || FAT=0; export FAT; exec "$@"', "sh", sys.executable, "-I", "-S", "-c"]
HOLD = "import os, runpy; held = b'x' * (int(os.environ['FAT']) * 2**20); runpy.run_path({app!r}, run_name='__main__')"


@pytest.fixture
def group() -> Iterator[Group]:
    """Its processes end before it does: it is made before the app."""
    with memory_group() as made:
        yield made


@pytest.fixture
def fat(group: Group, tmp_path: Path, nginx_binary: str) -> Iterator[Shop]:
    """Version 1 of the app has 250 MB; what is released in the group may have 200 MB, with the release itself."""
    group.limit(200 * MB)
    with bench(tmp_path) as place, shop(place) as made:
        configure(made)
        assert made.run("start", "web:blue", "--version", "1").code == 0
        wait(lambda: made.listening("blue"))
        yield made


def configure(web: Shop, **more: Any) -> None:
    web.configure(command=[*FAT, HOLD.format(app=str(APP))], env={"FAT": "250"}, **more)


def inside(group: Group, place: Bench, *words: str) -> Run:
    """The command, in that group."""
    argv, env = group.argv(place.argv(*words)), place.environment()
    done = subprocess.run(argv, env=env, cwd=place.folder, capture_output=True, text=True, timeout=120, check=False)
    return Run(done.returncode, done.stdout, done.stderr)


# memory


@pytest.mark.root
def test_without_room_for_two_versions_nothing_is_begun(fat: Shop, group: Group) -> None:
    before = fat.snapshot()
    with fat.bench.nothing_done():
        result = inside(group, fat.bench, "deploy", "web", "--version", "2")
    assert result.code == 3, result
    assert result.out == ""
    assert f"(limit of the cgroup {group.name}): it would not fit beside what runs" in result.err
    assert "web needs about 2" in result.err
    assert "as the running instance" in result.err
    assert "state: nothing was changed" in result.err
    assert "next: make room; or release it all the same: --skip-preflight" in result.err
    assert {name: data for name, data in fat.snapshot().items() if "lock" not in name} == {
        name: data for name, data in before.items() if "lock" not in name
    }
    assert fat.history() == []
    untouched(fat)


@pytest.mark.root
def test_who_knows_better_goes_on(fat: Shop, group: Group) -> None:
    result = inside(group, fat.bench, "deploy", "web", "--version", "2", "--skip-preflight")
    assert result.code == 0, result
    assert "needs about" not in result.err
    assert fat.instances() == {"green": "2"}
    assert fat.bench.version() == "2"


@pytest.mark.root
def test_what_is_skipped_the_kernel_ends(fat: Shop, group: Group) -> None:
    """So it would have gone without the look: the second one of 250 MB does not come up."""
    result = inside(group, fat.bench, "deploy", "web", "--version", "1", "--again", "--skip-preflight")
    assert result.code == 3, result
    assert "was ended by signal 9" in result.err
    untouched(fat)


@pytest.mark.root
def test_the_need_that_is_written_down_goes_before_what_is_used(fat: Shop, group: Group) -> None:
    configure(fat, needs={"memory": "1M"})
    result = inside(group, fat.bench, "deploy", "web", "--version", "2")
    assert result.code == 0, result


@pytest.mark.root
def test_as_json(fat: Shop, group: Group) -> None:
    result = inside(group, fat.bench, "deploy", "web", "--version", "2", "--json")
    assert result.code == 3
    error = json.loads((result.out or result.err).strip().splitlines()[-1])
    assert (error["exit"], error["changed"], error["state"]) == (3, False, "nothing was changed")
    assert group.name in error["error"]


@pytest.mark.root
def test_a_plan_shows_it_and_does_not_fail(fat: Shop, group: Group) -> None:
    result = inside(group, fat.bench, "deploy", "web", "--version", "2", "--plan")
    assert result.code == 0, result
    assert f"would be refused: web needs about 2{result.out.partition('needs about 2')[2]}" in result.out
    assert group.name in result.out
    (verdict,) = inside(group, fat.bench, "deploy", "web", "--version", "2", "--plan", "--json").json["preflight"]
    assert verdict["level"] == "refuse"
    assert group.name in verdict["what"]
    skipped = inside(group, fat.bench, "deploy", "web", "--version", "2", "--plan", "--json", "--skip-preflight")
    assert skipped.json["preflight"] == []
    live = inside(group, fat.bench, "deploy", "web", "--version", "1", "--plan", "--json")
    assert live.json["preflight"] == []
    untouched(fat)


@pytest.mark.root
def test_one_after_the_other_needs_no_room_for_two(fat: Shop, group: Group) -> None:
    result = inside(group, fat.bench, "deploy", "web", "--version", "2", "--strategy", "stop-start")
    assert result.code == 0, result
    assert fat.instances() == {"blue": "2"}


def test_what_no_machine_has_is_refused_without_any_limit(web: Shop) -> None:
    web.configure(needs={"memory": "900T"})
    result = web.deploy("2", code=3)
    assert "web needs about 900 TB, by needs.memory;" in result.err
    assert "cgroup" not in result.err
    untouched(web)
    web.configure(needs={"memory": "900T"}, strategy="stop-start")
    web.deploy("2")


def test_a_first_release_of_which_nothing_is_known_says_nothing(empty: Shop) -> None:
    result = empty.deploy("1")
    assert "needs" not in result.err
    assert empty.run("deploy", "web", "--version", "2", "--plan", "--json").json["preflight"] == []


def test_the_first_release_has_needs_too(empty: Shop) -> None:
    empty.configure(needs={"memory": "900T"})
    assert "by needs.memory" in empty.deploy("1", code=3).err
    assert empty.instances() == {}


@pytest.mark.root
def test_the_limit_of_what_starts_the_new_version_counts(group: Group, tmp_path: Path) -> None:
    """The master of gunicorn starts the second one: in its own group, not in ours."""
    group.limit(300 * MB)
    with gunicorn_web(tmp_path) as web:
        web.release("1")
        for pid in proc.tree(web.site.master().pid):
            group.add(pid)
        web.site.put("2")
        app = (web.site.folder / "proxyswitch.toml").read_text()
        (web.site.folder / "proxyswitch.toml").write_text(f'{app}\n[apps.web.needs]\nmemory = "301M"\n')
        assert f"(limit of the cgroup {group.name})" in web.deploy("2", code=3).err
        web.serves("1")
        (web.site.folder / "proxyswitch.toml").write_text(app)
        web.deploy("2")
        web.serves("2")


# disk


@pytest.fixture
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    with tmpfs(tmp_path_factory.mktemp("disks")) as made:
        yield made


@pytest.fixture
def small(mount: Callable[[str], Path], empty: Shop) -> Iterator[Path]:
    """The logs of version 1, which is live, go to a disk of 2 MB; whatever writes there ends before it goes."""
    folder = mount("size=2m")
    empty.configure(log_dir=str(folder), needs={"disk": "1M"})
    assert empty.run("start", "web:blue", "--version", "1").code == 0
    wait(lambda: empty.listening("blue"))
    yield folder
    empty.close()


@pytest.mark.root
def test_a_small_disk_is_refused_and_nothing_is_changed(small: Path, empty: Shop) -> None:
    empty.configure(log_dir=str(small), needs={"disk": "3M"})
    result = empty.deploy("2", code=3)
    assert f"2.0 MB are free in {small}, where its logs go; web needs 3.0 MB there, by needs.disk" in result.err
    assert "state: nothing was changed" in result.err
    assert len(list(small.iterdir())) == 1  # not even a log
    untouched(empty)
    empty.deploy("2", "--skip-preflight")
    assert empty.instances() == {"green": "2"}


@pytest.mark.root
def test_a_disk_that_others_have_filled(small: Path, empty: Shop) -> None:
    """And made room on: then it goes on."""
    (small / "rest").write_bytes(b"x" * (3 * 2**19))
    assert f"are free in {small}" in empty.deploy("2", code=3).err
    untouched(empty)
    (small / "rest").unlink()
    empty.deploy("2")


@pytest.mark.root
def test_what_is_close_is_a_warning(small: Path, empty: Shop) -> None:
    (small / "rest").write_bytes(b"x" * (2**20 - 2**16))
    told = empty.deploy("2", "--plan")
    assert f"warning: 1.1 MB are free in {small}" in told.out
    result = empty.deploy("2")
    assert f"warning: 1.1 MB are free in {small}" in result.err
    assert empty.instances() == {"green": "2"}


@pytest.mark.root
def test_a_disk_without_room_for_a_file(mount: Callable[[str], Path], web: Shop) -> None:
    folder = mount("size=1m,nr_inodes=10")
    web.configure(log_dir=str(folder), needs={"disk": 0})
    assert f"files can be made in {folder}, where its logs go" in web.deploy("2", code=3).err
    untouched(web)


# load


def test_a_load_that_is_too_high(web: Shop) -> None:
    """Whatever it is, it is above one that no machine with these tests has."""
    web.configure(needs={"load": 0.000001})
    result = web.run("deploy", "web", "--version", "2")
    with open("/proc/loadavg", encoding="ascii") as file:
        if not float(file.read().split()[0]):
            pytest.skip("this machine has no load at all")
    assert result.code == 3, result
    assert "the load of the last minute is" in result.err
    untouched(web)
    web.configure(needs={"load": 1e6})
    web.deploy("2")


# the words


def test_a_rollback_of_an_app_looks_too(web: Shop) -> None:
    web.deploy("2")
    web.configure(needs={"memory": "900T"})
    result = web.run("rollback", "web")
    assert result.code == 3, result
    assert "by needs.memory" in result.err
    assert web.instances() == {"green": "2"}
    assert "would be refused" in web.run("rollback", "web", "--dry-run").out
    assert web.run("rollback", "web", "--skip-preflight").code == 0
    assert web.instances() == {"blue": "1"}


def test_a_rollback_of_a_pool_has_nothing_to_skip(web: Shop) -> None:
    result = web.run("rollback", "app_backend", "--skip-preflight")
    assert result.code == 2
    assert "--skip-preflight is for an app, and app_backend is none" in result.err


def test_a_port_that_is_taken_is_no_matter_of_room(web: Shop) -> None:
    """The runner itself says so, and that cannot be skipped."""
    blocker = subprocess.Popen(
        [sys.executable, "-I", "-m", "http.server", "--bind", "127.0.0.1", str(web.green)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(lambda: net.is_listening(Endpoint("127.0.0.1", web.green)))
        for words in ((), ("--skip-preflight",)):
            assert f"127.0.0.1:{web.green}, where web:green should listen, is taken" in web.deploy("2", *words, code=2).err
    finally:
        blocker.kill()
        blocker.wait()
