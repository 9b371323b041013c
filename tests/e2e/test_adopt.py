"""`adopt` and `adopt --undo` on a real nginx."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint, PoolChange
from proxyswitch.proxies.base import Adopting, Candidate, Options
from proxyswitch.proxies.nginx import Nginx
from tests.e2e.instant_support import InstantBench
from tests.e2e.support import CONF, LIMIT, POOLS, eventually

pytest_plugins = ["tests.e2e.instant_fixtures"]


@pytest.fixture
def plain(blank: InstantBench) -> InstantBench:
    """A pool as people have it: version 1 serves, version 2 waits."""
    blank.blue, blank.green = blank.instance("1"), blank.instance("2")
    blank.write(blank.blue)
    blank.start()
    return blank


def slots(place: InstantBench) -> tuple[str, ...]:
    return "--blue", place.addresses[0], "--green", place.addresses[1]


def adopted(place: InstantBench, *words: str) -> None:
    result = place.run("adopt", "app_backend", *slots(place), "--yes", *words)
    assert result.code == 0, result.out + result.err


def test_one_reload_and_from_then_on_none(plain: InstantBench) -> None:
    before = plain.workers.active
    result = plain.run("adopt", "app_backend", *slots(plain), "--yes")
    assert re.fullmatch(r"app_backend: in instant mode \(reload, [\d.]+ m?s\)\n", result.out), result.out + result.err
    assert (result.err, plain.version()) == ("", "1")
    now = plain.workers.active
    assert not now & before
    for slot, version in (("green", "2"), ("blue", "1")):
        assert plain.run("switch", "app_backend", slot, "--drain", "20s").code == 0
        assert plain.version() == version
    assert plain.workers.active == now


def test_there_and_back_leaves_every_byte(plain: InstantBench) -> None:
    before = plain.files()
    adopted(plain)
    assert plain.files() != before
    result = plain.run("adopt", "app_backend", "--undo", "--yes")
    assert (result.code, plain.files(), plain.version()) == (0, before, "1"), result.err
    again = plain.run("adopt", "app_backend", "--undo", "--yes")
    assert (again.code, again.out, again.err) == (0, "", "")
    adopted(plain)
    assert plain.version() == "1"


def test_back_with_the_side_that_serves(plain: InstantBench) -> None:
    before = plain.pools.read_text()
    adopted(plain)
    plain.run("switch", "app_backend", "green")
    assert plain.run("adopt", "app_backend", "--undo", "--yes").code == 0
    assert plain.pools.read_text() == before.replace(f"server 127.0.0.1:{plain.blue};", f"server 127.0.0.1:{plain.green};")
    assert plain.version() == "2"


def test_back_after_other_edits(plain: InstantBench) -> None:
    before = plain.conf.read_text()
    adopted(plain)
    plain.conf.write_text(plain.conf.read_text().replace("http {\n", "http {\n    # mine\n    server_tokens off;\n", 1))
    assert plain.run("adopt", "app_backend", "--undo", "--yes").code == 0
    assert plain.conf.read_text() == before.replace("http {\n", "http {\n    # mine\n    server_tokens off;\n", 1)


def test_a_canary_is_ended_before_the_way_back(plain: InstantBench) -> None:
    adopted(plain)
    plain.run("canary", "app_backend", "5%")
    with plain.nothing_done():
        result = plain.run("adopt", "app_backend", "--undo", "--yes")
    assert (result.code, "both slots of app_backend take traffic" in result.err) == (2, True)


def test_the_same_again_is_silent_and_other_slots_are_refused(plain: InstantBench) -> None:
    adopted(plain)
    again = plain.run("adopt", "app_backend", *slots(plain), "--yes")
    assert (again.code, again.out, again.err) == (0, "", "")
    result = plain.run("adopt", "app_backend", "--blue", "127.0.0.1:9", "--green", plain.addresses[1], "--yes")
    assert (result.code, "its slot blue is" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("option", "value"), [("--flags", "/srv/flags"), ("--sticky", "cookie:user"), ("--log", "/var/log/tries.log")]
)
def test_another_form_than_it_has_is_refused(plain: InstantBench, option: str, value: str) -> None:
    adopted(plain)
    with plain.nothing_done():
        result = plain.run("adopt", "app_backend", *slots(plain), option, value, "--yes")
    assert (result.code, f"with another {option}" in result.err, "--undo" in result.err) == (2, True, True), result.err


def test_the_same_form_again_is_silent(plain: InstantBench) -> None:
    words = ("--sticky", "cookie:user", "--log", str(plain.folder / "tries.log"), "--flags", str(plain.folder / "f"))
    adopted(plain, *words)
    again = plain.run("adopt", "app_backend", *slots(plain), *words, "--yes")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_dry_run_shows_the_diff_and_touches_nothing(plain: InstantBench) -> None:
    with plain.nothing_done():
        result = plain.run("adopt", "app_backend", *slots(plain), "--dry-run")
    assert result.code == 0
    assert "+upstream app_backend_blue {" in result.out
    assert "-            proxy_pass http://app_backend;" in result.out
    assert not plain.flags.exists()


def test_off_a_terminal_it_needs_a_yes(plain: InstantBench) -> None:
    with plain.nothing_done():
        result = plain.run("adopt", "app_backend", *slots(plain))
    assert (result.code, "--yes" in result.err) == (2, True)


@pytest.mark.parametrize(("answer", "serves"), [(b"y\n", "2"), (b"n\n", "")])
def test_on_a_terminal_it_shows_and_asks(plain: InstantBench, answer: bytes, serves: str) -> None:
    before = plain.files()
    seen = on_a_terminal(plain, answer, "adopt", "app_backend", *slots(plain))
    assert "+upstream app_backend_blue {" in seen
    assert "Make these edits, and reload nginx once? [y/N]" in seen
    if serves:
        assert plain.run("switch", "app_backend", "green", "--mode", "instant").code == 0
        assert plain.version() == serves
    else:
        assert plain.files() == before


def on_a_terminal(place: InstantBench, answer: bytes, *words: str) -> str:
    """Run a command on a terminal of its own and answer its question. Returns all that was to be seen."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        place.argv(*words), env=place.environment(), cwd=place.folder, stdin=theirs, stdout=theirs, stderr=theirs
    ) as child:
        os.close(theirs)
        os.write(ours, answer)
        seen = b""
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert child.wait(LIMIT) == 0
    return seen.decode().replace("\r\n", "\n")


def test_nobody_loses_a_request_that_is_no_kept_alive_one(plain: InstantBench) -> None:
    """The one reload is a reload: what it does to idle kept-alive clients no tool can keep from them."""
    with Load(Endpoint("127.0.0.1", plain.port), keepalive=0, closing=3, idle=0, long=2, long_seconds=0.5) as load:
        adopted(plain)
        plain.run("switch", "app_backend", "green", "--drain", "20s")
        assert eventually(lambda: "2" in load.summary().by_version)
    seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), seen.errors


def test_the_live_side_may_be_green(plain: InstantBench) -> None:
    blue, green = plain.addresses
    assert plain.run("adopt", "app_backend", "--blue", green, "--green", blue, "--yes").code == 0
    assert (plain.version(), plain.flag) == ("1", "pct-100")


def test_an_idle_server_of_the_pool_is_the_other_slot(blank: InstantBench) -> None:
    blank.blue, blank.green = blank.instance("1"), blank.instance("2")
    line = f"    server 127.0.0.1:{blank.green} down;\n}}}}\n"
    blank.write(blank.blue, pools=POOLS.removesuffix("}}\n") + line)
    blank.start()
    assert blank.run("adopt", "app_backend", "--yes").code == 0
    assert blank.run("switch", "app_backend", "green").code == 0
    assert blank.version() == "2"


REFUSED = [
    ("proxy_pass http://app_backend;", "proxy_pass http://app_backend/api/;", "URI"),
    (
        "    server {{\n",
        "    server {{\n        location /up {{ proxy_pass http://$up; }}\n        set $up app_backend;\n",
        "passes to a variable",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), REFUSED)
def test_what_cannot_be_converted_is_refused_with_its_line(blank: InstantBench, old: str, new: str, said: str) -> None:
    blank.blue, blank.green = blank.instance("1"), blank.instance("2")
    blank.write(blank.blue, conf=CONF.replace(old, new, 1))
    blank.start()
    wrong = new.strip().splitlines()[-1].strip()
    line = next(n for n, text in enumerate(blank.conf.read_text().splitlines(), 1) if wrong in text)
    with blank.nothing_done():
        result = blank.run("adopt", "app_backend", *slots(blank), "--yes")
    assert result.code == 2, result.out + result.err
    assert f"nginx.conf:{line}" in result.err, result.err
    assert said in result.err


def test_hash_is_refused(blank: InstantBench) -> None:
    blank.blue, blank.green = blank.instance("1"), blank.instance("2")
    blank.write(blank.blue, pools=POOLS.replace("upstream app_backend {{\n", "upstream app_backend {{\n    ip_hash;\n"))
    blank.start()
    with blank.nothing_done():
        result = blank.run("adopt", "app_backend", *slots(blank), "--yes")
    assert (result.code, "ip_hash" in result.err, "pools.conf:3" in result.err) == (2, True, True), result.err


@pytest.mark.root
def test_a_flag_folder_that_the_workers_cannot_reach_is_refused(plain: InstantBench) -> None:
    text = plain.conf.read_text()
    plain.conf.write_text(text.replace("user root;", "user www-data;"))
    plain.end()
    plain.start()
    os.chmod(plain.folder, 0o700)
    with plain.nothing_done():
        result = plain.run("adopt", "app_backend", *slots(plain), "--yes")
    assert (result.code, "www-data" in result.err, "--flags" in result.err) == (2, True, True), result.err
    assert "chmod" in result.err


def test_a_reload_that_nginx_does_not_take_is_taken_back(plain: InstantBench, tmp_path: Path) -> None:
    """A port in use passes `nginx -t`."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = plain.conf.read_text()
        plain.conf.write_text(
            text.replace(
                "    server {\n", f"    server {{ listen 127.0.0.1:{taken.getsockname()[1]}; }}\n    server {{\n", 1
            )
        )
        with plain.taken_back():
            result = plain.run("adopt", "app_backend", *slots(plain), "--yes")
    assert (result.code, plain.version()) == (3, "1"), result.err


def test_the_record_is_gone(plain: InstantBench) -> None:
    adopted(plain)
    shutil.rmtree(plain.state / "adopted")
    with plain.nothing_done():
        result = plain.run("adopt", "app_backend", "--undo", "--yes")
    assert (result.code, "adopted" in result.err) == (2, True)


def test_another_flag_folder(plain: InstantBench) -> None:
    adopted(plain, "--flags", str(plain.folder / "elsewhere"))
    assert (plain.folder / "elsewhere" / "green").is_symlink()
    assert plain.run("switch", "app_backend", "green").code == 0
    assert plain.version() == "2"


def test_doctor_asks_nginx_itself(plain: InstantBench) -> None:
    result = plain.run("doctor")
    assert "proxyswitch adopt app_backend" in result.out or "keepalive_min_timeout" in result.out
    adopted(plain)
    url = f"http://127.0.0.1:{plain.port}"
    for slot in ("blue", "green"):
        plain.run("switch", "app_backend", slot)
        result = plain.run("doctor", "--probe", url)
        assert (result.code, "sees the flag" in result.out) == (0, True), result.out
        assert f"instant mode, {slot} serves" in result.out
    os.rename(plain.flags, plain.folder / "gone")
    result = plain.run("doctor", "--probe", url)
    assert (result.code, "does not see the flag" in result.out) == (1, True), result.out


def test_the_config_is_valid_after_each_file_that_is_written(blank: InstantBench) -> None:
    """Three files: the pool, the server block, a snippet with the pass. Who dies in between leaves a config that starts."""
    blank.blue, blank.green = blank.instance("1"), blank.instance("2")
    snippet = blank.folder / "pass.inc"
    snippet.write_text("proxy_pass http://app_backend;\n")
    blank.write(blank.blue, conf=CONF.replace("proxy_pass http://app_backend;", "include pass.inc;"))
    blank.start()
    green = (blank.addresses[1],)
    valid_in_between(blank, lambda proxy: proxy.adoption("app_backend", Adopting((blank.addresses[0],), green)), 4)
    adopted(blank)
    valid_in_between(blank, lambda proxy: proxy.plain("app_backend", lambda pool: PoolChange(pool.name, ())), 4)


def valid_in_between(place: InstantBench, make: Callable[[Nginx], Candidate], count: int) -> None:
    """Write the files one after the other, let nginx test the config after each, and put all back."""
    candidate = make(Nginx(Options(str(place.conf))))
    assert len(candidate.files) == count
    before = {file.real: Path(file.real).read_bytes() for file in candidate.files}
    for file in candidate.files:
        assert Path(file.real).read_bytes() == file.before
        Path(file.real).write_bytes(file.after)
        assert place.nginx_accepts(), file.path
    for name, data in before.items():
        Path(name).write_bytes(data)


@pytest.mark.parametrize("words", [("--blue", "127.0.0.1:9"), ("--sticky", "cookie:user"), ("--log", "tries.log")])
def test_what_undo_would_pass_over_is_refused(plain: InstantBench, words: tuple[str, ...]) -> None:
    adopted(plain)
    with plain.nothing_done():
        result = plain.run("adopt", "app_backend", "--undo", *words, "--yes")
    assert (result.code, f"{words[0]}: --undo needs nothing else" in result.err) == (2, True), result.err
