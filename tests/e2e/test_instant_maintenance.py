"""`maintenance` of a pool in instant mode: by its flag, without a reload."""

from __future__ import annotations

import http.client
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.proxies import nginx_gate
from tests.e2e.instant_support import InstantBench

pytest_plugins = ["tests.e2e.instant_fixtures"]


@contextmanager
def asked(
    place: InstantBench, method: str = "GET", path: str = "/", body: str | None = None
) -> Iterator[http.client.HTTPResponse]:
    client = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    try:
        client.request(method, path, body)
        yield client.getresponse()
    finally:
        client.close()


def status(place: InstantBench, method: str = "GET", path: str = "/", body: str | None = None) -> int:
    with asked(place, method, path, body) as answer:
        return answer.status


def test_on_and_off(instant: InstantBench) -> None:
    page = instant.folder / "page.html"
    page.write_text("<p>später</p>", "utf-8")
    with instant.nothing_done():
        result = instant.run("maintenance", "app_backend", "on", "--message", str(page), "--retry-after", "2m")
    assert result.code == 0, result.err
    assert "app_backend: closed for maintenance: 503, Retry-After 120 s (instant, " in result.out
    with asked(instant) as answer:
        assert (answer.status, answer.headers["Retry-After"], answer.read().decode()) == (503, "120", "<p>später</p>")
        assert answer.headers["Content-Type"] == "text/html"
    assert status(instant, "POST", "/upload", "x" * 100) == 503
    assert status(instant, "HEAD") == 503
    with instant.nothing_done():
        result = instant.run("maintenance", "app_backend", "off")
    assert (result.code, "app_backend: open again (instant, " in result.out, status(instant)) == (0, True, 200)


def test_the_same_again_is_silent(instant: InstantBench) -> None:
    for words in (("on", "--retry-after", "5"), ("off",)):
        instant.run("maintenance", "app_backend", *words)
        again = instant.run("maintenance", "app_backend", *words)
        assert (again.code, again.out, again.err) == (0, "", "")


@pytest.mark.parametrize("allow", ["127.0.0.1", "127.0.0.0/8", "120.0.0.0/5"])
def test_who_is_allowed_gets_in(instant: InstantBench, allow: str) -> None:
    assert instant.run("maintenance", "app_backend", "on", "--allow", allow).code == 0
    assert (instant.version(), instant.version("/slow?seconds=0.1")) == ("1", "1")
    assert status(instant, "POST", "/upload", "x" * 100) == 200
    assert instant.run("maintenance", "app_backend", "on", "--allow", "10.0.0.0/8").code == 0
    assert status(instant) == 503


def test_show_says_it(instant: InstantBench) -> None:
    instant.run("maintenance", "app_backend", "on", "--allow", "10.0.0.0/8", "--allow", "2001:db8::/32")
    told = "closed for maintenance: 503, Retry-After 120 s, but for 10.0.0.0/8, 2001:db8::/32"
    assert told in instant.run("show").err
    assert instant.run("show", "--json").json["pools"][0]["closed"] == told
    instant.run("maintenance", "app_backend", "off")
    assert instant.run("show", "--json").json["pools"][0]["closed"] is None


def test_a_switch_behind_the_closed_gate(instant: InstantBench) -> None:
    instant.run("maintenance", "app_backend", "on", "--allow", "127.0.0.1")
    assert instant.run("switch", "app_backend", "green").code == 0
    assert instant.version() == "2"
    instant.run("maintenance", "app_backend", "on")
    assert status(instant) == 503


def test_what_was_laid_ready_before_is_cleared_away(instant: InstantBench) -> None:
    for seconds in ("10", "20", "30"):
        instant.run("maintenance", "app_backend", "on", "--retry-after", seconds)
        with asked(instant) as answer:
            assert answer.headers["Retry-After"] == seconds
    assert len([n for n in os.listdir(instant.flags) if n.startswith("retry-")]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--message", "/no/such/file"), "No such file"),
        (("--allow", "10.0.0.0/33"), "expected an address or a network"),
        (("--allow", "2001:db8:0:1::/64"), "of IPv6 networks only"),
        (("--retry-after", "soon"), "soon"),
    ],
)
def test_what_cannot_be_done_is_refused(instant: InstantBench, words: tuple[str, ...], said: str) -> None:
    result = instant.run("maintenance", "app_backend", "on", *words)
    assert (result.code, said in result.err, status(instant)) == (2, True, 200), result.err


def test_a_pool_that_was_not_adopted(blank: InstantBench) -> None:
    from tests.e2e.support import CONF, POOLS

    blank.write(blank.instance("1"), CONF, POOLS)
    blank.start()
    result = blank.run("maintenance", "app_backend", "on")
    assert (result.code, "proxyswitch adopt app_backend" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ("10.1.2.3", {"10.1.2.3"}),
        ("10.0.0.0/8", {"8-10"}),
        ("10.1.0.0/16", {"16-10.1"}),
        ("10.1.2.0/23", {"24-10.1.2", "24-10.1.3"}),
        ("10.1.2.8/31", {"10.1.2.8", "10.1.2.9"}),
        ("2001:db8::1", {"2001:db8::1"}),
        ("2001:db8::/32", {"32-2001:db8"}),
        ("2001:db8:1:20::/64", {"64-2001:db8:1:20"}),
    ],
)
def test_a_network_as_names_of_files(network: str, names: set[str]) -> None:
    assert set(nginx_gate.allowed((network,))) == names


@pytest.mark.parametrize("network", ["2001:db8::/33", "2001:0:1::/48", "::/0", "no"])
def test_a_network_that_no_name_can_tell(network: str) -> None:
    with pytest.raises(UsageError):
        list(nginx_gate.allowed((network,)))


@pytest.mark.parametrize("words", [("--message", "page.html"), ("--retry-after", "5"), ("--allow", "127.0.0.1")])
def test_what_off_would_pass_over_is_refused(instant: InstantBench, words: tuple[str, ...]) -> None:
    instant.run("maintenance", "app_backend", "on")
    with instant.nothing_done():
        result = instant.run("maintenance", "app_backend", "off", *words)
    assert (result.code, f"{words[0]}: maintenance off" in result.err) == (2, True), result.err


def test_part_of_a_second_is_a_second(instant: InstantBench) -> None:
    instant.run("maintenance", "app_backend", "on", "--retry-after", "200ms")
    with asked(instant) as answer:
        assert answer.headers["Retry-After"] == "1"


def test_without_its_flag_folder(instant: InstantBench) -> None:
    """Somebody removed it, or the pool was never switched yet."""
    shutil.rmtree(instant.flags)
    assert instant.run("maintenance", "app_backend", "on").code == 0
    assert status(instant) == 503
    assert instant.run("maintenance", "app_backend", "off").code == 0
    assert (status(instant), instant.version()) == (200, "1")
