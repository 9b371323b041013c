"""`proxyswitch init` on a terminal asks: which nginx, and which apps."""

from __future__ import annotations

import tomllib

import pytest

from tests.e2e.alone import python_alone
from tests.e2e.support import Bench, bench
from tests.e2e.test_terminal import Terminal, terminal
from tests.ports import free_port

__all__ = ["terminal"]  # a fixture
TWO = """\
upstream app_backend {{ server 127.0.0.1:{blue}; }}
upstream api {{ server 127.0.0.1:PORT; }}
"""


def test_it_asks_for_each_app(place: Bench, terminal: Terminal) -> None:
    place.write(place.instance("1"), pools=TWO.replace("PORT", str(place.instance("2"))))
    name = terminal.start(place, "init", "--write")
    terminal.until(name, "app: pool app_backend of nginx, run by process; take it? [Y/n]:")
    terminal.tmux("send-keys", "-t", name, "Enter")
    terminal.until(name, "api: pool api of nginx, run by process; take it? [Y/n]:")
    terminal.tmux("send-keys", "-t", name, "n", "Enter")
    assert "api is left out: you did not want it" in terminal.until(name, "ended with 0")
    text = (place.folder / "proxyswitch.toml").read_text()
    assert list(tomllib.loads(text)["apps"]) == ["app"]
    assert "# [apps.api]" in text


def test_with_yes_it_asks_nothing(place: Bench, terminal: Terminal) -> None:
    place.write(place.instance("1"), pools=TWO.replace("PORT", str(place.instance("2"))))
    terminal.until(terminal.start(place, "init", "--write", "--yes"), "ended with 0")
    assert list(tomllib.loads((place.folder / "proxyswitch.toml").read_text())["apps"]) == ["app", "api"]


@pytest.mark.root
def test_it_asks_which_nginx(place: Bench, terminal: Terminal, tmp_path_factory: pytest.TempPathFactory) -> None:
    place.write(free_port())
    with bench(tmp_path_factory.mktemp("other")) as other:
        other.write(free_port())
        place.python = python_alone(place.folder, ["haproxy"], [place.starting, other.starting])
        # --nginx-conf, which the bench would add, is what is to be asked for
        name = terminal.start(place, "init", "--write", "--nginx-conf", "")
        listed = terminal.until(name, "which one is yours:").replace("\n", "")
        number = listed[: listed.index(str(place.conf))].split()[-1]
        terminal.tmux("send-keys", "-t", name, "3", "Enter")
        terminal.until(name, "a number from 1 to 2")
        terminal.tmux("send-keys", "-t", name, number, "Enter")
        terminal.until(name, "ended with 0")
    assert tomllib.loads((place.folder / "proxyswitch.toml").read_text())["nginx"] == {"conf": str(place.conf)}
