"""What a person sees in a terminal of 80 columns, and what a pipe, a log and cron get."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch import polling
from tests.conftest import missing
from tests.e2e.clients import echo_server, upgraded
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.support import LIMIT, Bench

ESCAPE = "\x1b"


pytest_plugins = ["tests.e2e.haproxy_fixtures"]


class Terminal:
    """A screen of 80 columns and 50 lines, run by a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket = str(folder / "tmux")
        self.sessions = 0

    def tmux(self, *words: str) -> str:
        argv = ["tmux", "-S", self.socket, "-f", "/dev/null", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout

    def start(self, place: Bench, *words: str, env: dict[str, str] | None = None) -> str:
        """Run the command in a session of its own; the name of the session."""
        self.sessions += 1
        name = f"s{self.sessions}"
        settings = {**env_of(place), **(env or {})}
        pairs = [f"{key}={value}" for key, value in settings.items()]
        inner = shlex.join(["env", "-i", *pairs, *place.argv(*words)]) + '; echo "ended with $?"; exec sleep 600'
        self.tmux("new-session", "-d", "-s", name, "-x", "80", "-y", "50", "-c", str(place.folder), inner)
        return name

    def screen(self, name: str, *words: str) -> str:
        return self.tmux("capture-pane", "-p", "-t", name, *words)

    def until(self, name: str, text: str) -> str:
        """Wait until the screen shows that text; the screen."""
        found = polling.until(lambda: s if text in (s := self.screen(name)) else None, LIMIT, first=0.02, longest=0.1)
        assert found, self.screen(name)
        return found

    def run(self, place: Bench, *words: str, env: dict[str, str] | None = None) -> list[str]:
        """Run a command to its end; the lines on the screen, the exit code in the last one."""
        name = self.start(place, *words, env=env)
        return self.until(name, "ended with").rstrip().splitlines()

    def colours(self, place: Bench, *words: str, env: dict[str, str] | None = None) -> bool:
        """True when the command wrote anything in colour; bold is none."""
        name = self.start(place, *words, env=env)
        self.until(name, "ended with")
        return bool(re.search(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10\d)", self.screen(name, "-e")))


def env_of(place: Bench) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "TERM": "screen-256color",
        "LANG": "C.UTF-8",
        "PROXYSWITCH_STATE": str(place.state),
        "PYTHONPATH": place.path,
        "HOME": str(place.folder),
    }


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    if not shutil.which("tmux"):
        missing("tmux", "apt-get install --no-install-recommends tmux")
    made = Terminal(tmp_path_factory.mktemp("t"))
    try:
        yield made
    finally:
        if made.sessions:
            made.tmux("kill-server")


def whole(lines: list[str]) -> bool:
    """True when no line was cut or wrapped by the terminal: each is shorter than the screen is wide."""
    return all(len(line) < 80 for line in lines)


def test_a_switch_is_one_line_and_a_second_one_says_that_it_is_so(running: Bench, terminal: Terminal) -> None:
    old, new = running.run("get", "app_backend").out.strip(), f"127.0.0.1:{running.instance('2')}"
    lines = terminal.run(running, "switch", "app_backend", new, "--drain", "30s")
    assert lines[-1] == "ended with 0"
    assert re.fullmatch(rf"app_backend: {old} → {new} \(reload, [\d.]+ s\)", lines[0])
    assert len(lines) == 2, lines
    again = terminal.run(running, "switch", "app_backend", new)
    assert again == [f"unchanged: app_backend is so already: {new}", "ended with 0"]


def test_a_drain_shows_a_bar_that_goes_away(place: Bench, terminal: Terminal) -> None:
    with echo_server() as port:
        place.write(port)
        place.start()
        with upgraded(place):
            name = terminal.start(place, "switch", "app_backend", f"127.0.0.1:{place.instance('2')}", "--drain", "60s")
            during = terminal.until(name, "draining [").rstrip().splitlines()
            assert len(during) == 1
            assert re.fullmatch(r"draining \[[#.]{20}\] .+ of 1 min: \d left", during[0])
        after = terminal.until(name, "ended with 0")
    assert "draining" not in after
    assert re.fullmatch(r"app_backend: \S+ → \S+ \(reload, .+ s\)", after.splitlines()[0])


def test_a_table_fits_the_screen(running: Bench, terminal: Terminal) -> None:
    lines = terminal.run(running, "show")
    assert lines[-1] == "ended with 0"
    assert all(len(line) <= 80 for line in lines)
    row = next(line for line in lines if "app_backend" in line)
    assert "127.0.0.1:" in row
    assert "ready" in row


def test_a_table_of_haproxy_fits_the_screen_too(ha: HaproxyBench, terminal: Terminal) -> None:
    """A server has a name and an address there; its file goes by its name alone where the whole path is too long."""
    lines = terminal.run(ha, "show")
    assert lines[-1] == "ended with 0"
    blue = next(line for line in lines if "app-blue" in line)
    assert re.search(r"app-blue 127\.0\.0\.1:\d+ +ready +1 +0 +haproxy\.cfg:\d+$", blue), lines
    ha.tell("set server app_backend/app-blue state maint")
    assert "ready" not in next(line for line in terminal.run(ha, "show") if "app-blue" in line)


def test_help_fits_the_screen(place: Bench, terminal: Terminal) -> None:
    for words in (("--help",), ("switch", "--help"), ("health", "--help"), ("get", "--help")):
        lines = terminal.run(place, *words)
        assert lines[-1] == "ended with 0"
        assert lines[0].startswith("Usage: proxyswitch")
        assert whole(lines)


def test_an_error_says_what_and_what_to_do(running: Bench, terminal: Terminal) -> None:
    lines = terminal.run(running, "switch", "app_backend", "127.0.0.1:99999")
    assert lines[0].startswith("proxyswitch: '127.0.0.1:99999': port 99999 is out of range")
    assert lines[1] == "  state: nothing was changed"
    assert lines[2].startswith("  next: ")
    assert lines[-1] == "ended with 2"


def test_no_color_is_honoured(running: Bench, terminal: Terminal) -> None:
    for words in (("show",), ("--help",), ("switch", "app_backend", "oops")):
        assert not terminal.colours(running, *words, env={"NO_COLOR": "1"})


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_a_pipe_gets_no_escape_codes(running: Bench, term: str) -> None:
    new = f"127.0.0.1:{running.instance('2')}"
    for words in (
        ("show",),
        ("--help",),
        ("switch", "app_backend", new, "--drain", "20s"),
        ("switch", "app_backend", "oops"),
    ):
        result = running.run(*words, env={"TERM": term})
        assert ESCAPE not in result.out + result.err
        assert "\r" not in result.out + result.err


def cron(place: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it as cron does: hardly any environment, no terminal, no input."""
    argv = [
        "env",
        "-i",
        "PATH=/usr/bin:/bin",
        f"PROXYSWITCH_STATE={place.state}",
        f"PYTHONPATH={place.path}",
        *place.argv(*words),
    ]
    return subprocess.run(argv, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)


def test_under_cron_a_change_is_one_line_and_no_change_is_silent(running: Bench) -> None:
    new = f"127.0.0.1:{running.instance('2')}"
    first, second = (cron(running, "switch", "app_backend", new, "--drain", "20s") for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert len(first.stdout.splitlines()) == 1
    assert "→" in first.stdout
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert running.version() == "2"


def test_without_standard_output_a_switch_still_works(running: Bench) -> None:
    new = running.instance("2")
    command = shlex.join(running.argv("switch", "app_backend", f"127.0.0.1:{new}"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} <&- >&- 2>&-"], env=running.environment(), cwd=running.folder, check=False, timeout=60
    )
    assert done.returncode == 0
    assert running.version() == "2"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_an_answer_that_cannot_be_written_stops_no_switch(running: Bench) -> None:
    new = running.instance("2")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            running.argv("switch", "app_backend", f"127.0.0.1:{new}"),
            env=running.environment(),
            cwd=running.folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (running.version(), running.journals) == ("2", [])
    assert done.returncode == 4, done.stderr
    assert "the answer cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
