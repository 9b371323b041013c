"""nginx in a container, reached by `docker exec`: changed from here, tested and told in there, proven by its processes."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import echo_server, upgraded
from tests.e2e.nginx_container_support import STDERR, Boxed, boxed, wrapper
from tests.e2e.shop import shop
from tests.e2e.support import LIMIT, eventually
from tests.runners.docker import Docker

pytestmark = pytest.mark.root


@pytest.fixture
def place(docker: Docker, prefix: str, tmp_path: Path) -> Iterator[Boxed]:
    """The config and the settings; the pool has one server, version 1."""
    with boxed(docker, prefix, tmp_path) as made:
        made.write(made.instance("1"))
        yield made


@pytest.fixture
def box(place: Boxed) -> Boxed:
    """It runs."""
    place.up()
    return place


def target(place: Boxed, version: str = "2") -> str:
    return f"127.0.0.1:{place.instance(version)}"


def reloaded_by_hand(place: Boxed) -> None:
    before = place.workers.active
    place.told("nginx", "-s", "reload")
    assert eventually(lambda: place.workers.active and not place.workers.active & before)


def test_a_switch_and_the_way_back(box: Boxed) -> None:
    before, green = box.workers.active, target(box)
    result = box.run("switch", "app_backend", green, "--drain", "20s", "--json")
    assert result.code == 0, result.err
    assert result.json["mode"] == "reload"
    assert box.version() == "2"
    assert not (box.workers.active | box.workers.old) & before  # drained
    assert box.told("cat", "/etc/nginx/pools.conf") + "\n" == box.pools.read_text()
    assert box.run("get", "app_backend").out.strip() == green
    back = box.run("rollback", "app_backend")
    assert back.code == 0, back.err
    assert box.version() == "1"


def test_the_container_s_own_reload_and_ours_agree(box: Boxed) -> None:
    """Before, after, and with an edit of a person's own in between."""
    reloaded_by_hand(box)
    green = target(box)
    assert box.run("switch", "app_backend", green).code == 0
    reloaded_by_hand(box)
    assert box.version() == "2"
    assert box.run("get", "app_backend").out.strip() == green
    assert "changed after" not in box.run("doctor").out
    third = target(box, "3")
    box.pools.write_text(box.pools.read_text().replace(green, third))
    reloaded_by_hand(box)
    assert box.version() == "3"
    assert box.run("switch", "app_backend", green).code == 0
    assert box.version() == "2"


def test_connections_are_counted_in_the_machine_s_own_network(place: Boxed) -> None:
    with echo_server() as port:
        place.write(port)
        place.up()
        with upgraded(place):
            (server,) = place.run("show", "--json").json["pools"][0]["servers"]
    assert server["connections"] == 1


def test_a_dry_run_touches_nothing(box: Boxed) -> None:
    with box.nothing_done():
        result = box.run("switch", "app_backend", target(box), "--dry-run")
    assert result.code == 0, result.err
    assert str(box.pools) in result.out


def test_a_server_that_nginx_cannot_find_is_refused_by_its_own_test(box: Boxed) -> None:
    with box.nothing_done():
        result = box.run("switch", "app_backend", "no-such-host.invalid:80")
    assert result.code == 3
    assert f"{box.pools}:3:1: nginx refuses the config: host not found in upstream" in result.err
    assert "the files are as before, and nginx was told nothing" in result.err
    after = box.run("doctor")  # the file is newer than what nginx has loaded, and yet the same
    assert after.code == 0, after.out
    box.pools.write_text(box.pools.read_text().replace("# blue", "# Blue"))
    assert "was changed after nginx last loaded it" in box.run("doctor").out


def test_a_config_that_was_broken_before_is_refused(box: Boxed) -> None:
    with (box.inside / "conf.d.conf").open("w") as file:
        file.write("nonsense on;\n")
    box.conf.write_text(
        box.conf.read_text().replace("include pools.conf;", "include /etc/nginx/*.d.conf; include pools.conf;")
    )
    with box.nothing_done():
        result = box.run("switch", "app_backend", target(box))
    assert result.code == 3
    assert f"{box.inside}/conf.d.conf:1:1: nginx refuses the config: unknown directive" in result.err


def test_a_reload_that_nginx_does_not_take(place: Boxed) -> None:
    """`nginx -t` passes, and the reload fails; the reason is in the container's output only."""
    place.up(shell=STDERR)
    place.configure(reload_timeout="3s")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        place.conf.write_text(place.conf.read_text().replace("server {", f"server {{ listen {address};", 1))
        with place.taken_back():
            result = place.run("switch", "app_backend", target(place))
    assert result.code == 3
    assert f"s: bind() to {address} failed (98: Address already in use)" in result.err
    assert place.version() == "1"


def test_killed_before_nginx_tested_it(box: Boxed) -> None:
    asked = box.folder / "state-asked"
    hang = f'case "$*" in *" -t "*) touch {asked}; sleep 60;; esac'
    box.configure(wrapper(box, hang))
    with box.taken_back():
        running = box.spawn("switch", "app_backend", "no-such-host.invalid:80")
        assert eventually(asked.exists)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=LIMIT)
        assert "no-such-host" in box.pools.read_text()
        box.configure(wrapper(box, ""))
        workers = box.workers.active
        result = box.run("recover")
        assert result.code == 0, result.err
        assert eventually(lambda: not box.workers.active & workers)
    assert box.version() == "1"


def test_killed_before_the_proof(box: Boxed) -> None:
    with box.taken_back():
        with box.frozen():
            running = box.spawn("switch", "app_backend", target(box))
            journal = box.state / "journal"
            assert eventually(lambda: any("applying" in p.read_text() for p in journal.glob("nginx-*")))
            assert eventually(lambda: os.path.exists(f"/proc/{box.master.pid}") and pending_hup(box.master.pid))
            running.send_signal(signal.SIGKILL)
            running.communicate(timeout=LIMIT)
        assert eventually(lambda: box.version() == "2")
        result = box.run("recover")
        assert result.code == 0, result.err
    assert box.version() == "1"


def pending_hup(pid: int) -> bool:
    rows = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return bool(int(rows["ShdPnd"], 16) & 1 << (signal.SIGHUP - 1))


def test_stopped_in_the_midst_of_a_change(box: Boxed) -> None:
    """Nobody can say what nginx will run: `recover` needs the container."""
    with box.frozen():
        running = box.spawn("switch", "app_backend", target(box))
        assert eventually(lambda: pending_hup(box.master.pid))
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=LIMIT)
    box.docker.run("stop", box.container)
    before = box.run("recover")
    assert before.code == 4, before.err
    assert "cannot look into nginx's container" in before.err
    box.docker.run("start", box.container)
    box.answers()
    result = box.run("recover")
    assert result.code == 0, result.err
    assert box.version() == "1"


# where we cannot look


def test_a_container_that_is_stopped(box: Boxed) -> None:
    box.docker.run("stop", "-t", "1", box.container)
    files = box.files()
    for words in (("get", "app_backend"), ("switch", "app_backend", target(box))):
        result = box.run(*words)
        assert result.code == 2
        assert "is not running" in result.err
        assert f"docker exec {box.container} cat /proc/1/stat" in result.err
    found = box.run("doctor")
    assert found.code == 1
    assert "is not running" in found.out
    assert box.files() == files


def test_with_paths_a_stopped_one_can_be_read_but_not_changed(box: Boxed) -> None:
    box.configure(paths={"/etc/nginx": "nginx"})
    blue = box.run("get", "app_backend").out
    box.docker.run("stop", "-t", "1", box.container)
    files = box.files()
    assert box.run("get", "app_backend").out == blue
    assert str(box.pools) in box.run("switch", "app_backend", target(box), "--dry-run").out
    result = box.run("switch", "app_backend", target(box))
    assert result.code == 2
    assert "is not running; nginx could not test the change" in result.err
    assert box.files() == files
    box.docker.run("start", box.container)
    box.answers()
    assert box.run("switch", "app_backend", target(box)).code == 0
    assert box.version() == "2"


def test_the_program_is_absent(place: Boxed) -> None:
    place.configure("no-such-docker exec web")
    result = place.run("switch", "app_backend", "127.0.0.1:1")
    assert result.code == 2
    assert "no-such-docker" in result.err
    assert "mend nginx.exec in proxyswitch.toml" in result.err


@pytest.mark.parametrize("command", ["true", "echo 1", "false", "docker exec no-such-container"])
def test_words_that_lead_nowhere(place: Boxed, command: str) -> None:
    place.configure(command)
    result = place.run("switch", "app_backend", "127.0.0.1:1")
    assert result.code == 2
    assert "cannot look into nginx's container" in result.err


def test_words_that_need_a_terminal(box: Boxed) -> None:
    """They work where a person tries them, and not in cron."""
    box.configure(f"docker exec -it {box.container}")
    result = box.run("get", "app_backend")
    assert result.code == 2
    assert "not a TTY" in result.err
    assert f"docker exec -it {box.container} cat /proc/1/stat </dev/null" in result.err


def test_a_container_without_nginx(place: Boxed) -> None:
    place.docker.run("run", "-d", "--name", place.container, "-v", f"{place.inside}:/etc/nginx", "root:1", "sleep", "600")
    files = place.files()
    result = place.run("switch", "app_backend", target(place))
    assert result.code == 2
    assert "no nginx is seen to run in the container: a reload could not be proven" in result.err
    assert place.files() == files


# releases


def test_a_release_and_the_way_back(place: Boxed) -> None:
    with shop(place) as web:
        text = web.settings.read_text()
        web.settings.write_text(text.replace("nginx = {", f'nginx = {{"exec" = "docker exec {place.container}", ', 1))
        assert web.run("start", "web:blue", "--version", "1").code == 0
        web.deploy("2")
        assert place.version() == "2"
        web.deploy("2-crashes", code=3)
        back = web.run("rollback", "web")
        assert back.code == 0, back.err
        assert place.version() == "1"
