"""The command line: its registry, mistakes on it, and what a command may load at its start."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import __version__
from proxyswitch.cli import app, output
from proxyswitch.errors import Busy, Failed, NeedsPerson, UsageError
from tests.conftest import REPO
from tests.e2e.support import Bench, bench

ALL = [
    "show",
    "get",
    "switch",
    "weight",
    "set",
    "drain",
    "canary",
    "reconcile",
    "rollback",
    "adopt",
    "maintenance",
    "health",
    "deploy",
    "promote",
    "abort",
    "confirm",
    "status",
    "history",
    "logs",
    "start",
    "stop",
    "restart",
    "lint",
    "generate",
    "init",
    "recover",
    "doctor",
    "schema",
    "demo",
]


def run(*words: str, folder: Path | None = None, stdin: int | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "proxyswitch", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=folder or REPO, check=False, stdin=stdin)


def invoke(*words: str) -> tuple[int, str]:
    """Run a command in this process; its status, and all that it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as caught:
        app.command()(list(words), prog_name="proxyswitch")
    return int(caught.value.code or 0), said.getvalue()


# the registry


def test_every_command_is_there_and_in_the_help() -> None:
    assert list(app.COMMANDS) == ALL
    code, said = invoke("--help")
    assert code == 0
    for name in ALL:
        assert f"\n  {name} " in said
    assert "4 failed and a person must look" in " ".join(said.split())


@pytest.mark.parametrize("name", ALL)
def test_every_command_can_be_loaded_and_explains_itself(name: str) -> None:
    module, _, function = app.COMMANDS[name].partition(":")
    assert inspect.getdoc(getattr(import_module(f"proxyswitch.cli.{module}"), function))
    command = app.load(name, app.COMMANDS[name])
    options = {word for p in command.params for word in p.opts}
    unexplained = [p.name for p in command.params if not getattr(p, "help", "") and p.name != "help"]
    assert unexplained == []
    if name not in ("schema", "generate"):  # of the kinds that generate makes, each has its own options
        assert {"--json"} <= options or name == "logs"
    code, said = invoke(name, "--help")
    assert code == 0
    assert said.startswith(f"Usage: proxyswitch {name} ")


CHANGING = (
    *("switch", "weight", "set", "drain", "canary", "reconcile", "rollback", "adopt", "maintenance"),
    *("deploy", "start", "stop", "restart"),
)


@pytest.mark.parametrize("name", CHANGING)
def test_every_command_that_changes_something_can_wait_for_locks_and_be_quiet(name: str) -> None:
    options = {word for p in app.load(name, app.COMMANDS[name]).params for word in p.opts}
    assert {"--lock-timeout", "--json", "--quiet", "-q", "--config", "--nginx-conf"} <= options
    assert {"--haproxy-conf", "--haproxy-socket"} <= options or name in ("canary", "adopt")
    assert "--dry-run" in options or name in ("start", "stop", "restart")


def test_the_version() -> None:
    assert invoke("--version") == (0, f"proxyswitch {__version__}\n")


# mistakes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("swich",), "Did you mean 'switch'?"),
        (("switch",), "Missing argument 'POOL'"),
        (("switch", "p"), "Missing argument 'TARGET…'"),
        (("deploy",), "Missing argument 'APP'"),
        (("deploy", "web", "--verison", "1"), "No such option: --verison"),
        (("switch", "p", "t", "--drain", "soon"), "'soon' is no duration: expected seconds, or as 500ms, 30s"),
        (("switch", "p", "t", "--lock-timeout", "-5"), "'-5' is no duration"),
        (("set", "p/s", "asleep"), "'asleep' is not one of"),
        (("history", "-n", "0"), "is not in the range"),
        (("logs", "web", "-n", "many"), "is not a valid int"),
        (("set", "p", "drain"), "'p' names no server"),
        (("weight", "p", "a:1"), "'a:1': expected SERVER=N with a whole number"),
        (("switch", "p", "t", "--mode", "magic"), "--mode magic: not possible here; known: auto, reload, runtime"),
        (("status", "--config", "gone.toml"), "gone.toml: no such settings file"),
        (("show", "--nginx-conf", "gone.conf"), "gone.conf: no such config file"),
        (("show", "--haproxy-conf", "gone.cfg"), "gone.cfg: no such config file"),
        (("show", "--haproxy-socket", "gone.sock"), "gone.sock"),
        (("reconcile", "p", "--by", "both"), "'both' is not one of"),
    ],
)
def test_a_mistake_is_exit_2_and_says_what(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = run(*words, folder=tmp_path)
    assert result.returncode == 2, result
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_no_words_at_all_shows_the_help() -> None:
    result = run()
    assert result.returncode == 2
    assert "Usage: " in result.stdout + result.stderr


def test_an_error_in_json_is_one_object_on_stdout(tmp_path: Path) -> None:
    result = run("status", "--json", "--config", "gone.toml", folder=tmp_path)
    assert json.loads(result.stdout) == {
        "error": "gone.toml: no such settings file",
        "exit": 2,
        "state": "nothing was changed",
        "next": "",
    }
    assert result.stderr.startswith("proxyswitch: gone.toml: no such settings file")


# the boundary for errors


Broken = Callable[[BaseException], tuple[int, str]]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    """Runs a command that raises."""

    def fail(error: BaseException) -> tuple[int, str]:
        def history() -> None:
            """Raise it."""
            raise error

        monkeypatch.setattr("proxyswitch.cli.story.history", history)
        return invoke("history")

    return fail


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("u"), 2), (Failed("f"), 3), (NeedsPerson("n", state="s"), 4), (Busy("b"), 75)]
)
def test_each_error_has_its_exit_code_and_three_lines(broken: Broken, error: Any, code: int) -> None:
    error.next_step = "do it"
    assert broken(error) == (code, f"proxyswitch: {error.what}\n  state: {error.state}\n  next: do it\n")


def test_a_fault_of_ours_is_exit_70_with_the_trace(broken: Broken) -> None:
    code, said = broken(RuntimeError("oops"))
    assert code == 70
    assert "Traceback" in said
    assert "this is a bug of ours, not yours: RuntimeError: oops" in said
    assert "proxyswitch recover" in said


def test_a_note_to_a_reader_who_has_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    output.note("hello")
    output.note("again")


# what is loaded


@pytest.fixture
def stopped(tmp_path: Path, nginx_binary: str) -> Iterator[Bench]:
    """A config of an nginx that does not run."""
    with bench(tmp_path) as made:
        made.write(9)
        yield made


def loaded(stopped: Bench, *words: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    code = f"""
import os, sys

leave = os._exit

def tell(status):
    with open({str(stopped.folder / "loaded")!r}, "w") as file:
        print(*sys.modules, file=file)
    leave(status)

os._exit = tell
from proxyswitch.cli import main
main()
"""
    argv = [sys.executable, "-c", code, *stopped.argv(*words)[3:]]
    done = subprocess.run(
        argv, cwd=stopped.folder, env=stopped.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set((stopped.folder / "loaded").read_text().split())


HEAVY = {"rich", "jinja2", "psutil", "pydantic", "markdown_it", "pygments"}
FAST = [("get", "app_backend"), ("show", "--json"), ("switch", "app_backend", "127.0.0.1:8", "--dry-run")]


@pytest.mark.parametrize("words", FAST, ids=lambda words: words[0])
def test_nothing_heavy_is_loaded_for_nothing(stopped: Bench, words: tuple[str, ...]) -> None:
    found = loaded(stopped, *words)
    assert found & HEAVY == set()
    assert "proxyswitch.model" in found
    assert found & {"proxyswitch.preflight", "proxyswitch.system.memory", "proxyswitch.system.machine"} == set()


@pytest.mark.parametrize("words", FAST[:2], ids=lambda words: words[0])
def test_without_a_settings_file_its_library_is_not_loaded(stopped: Bench, words: tuple[str, ...]) -> None:
    found = loaded(stopped, *words)
    assert found & {"msgspec", "tomllib", "crossplane", "filelock", "http"} == set()
    assert "proxyswitch" in found


def test_a_settings_file_is_read_when_it_is_there(stopped: Bench) -> None:
    (stopped.folder / "proxyswitch.toml").touch()
    assert "msgspec" in loaded(stopped, "get", "app_backend")


@pytest.mark.parametrize("words", FAST, ids=lambda words: words[0])
def test_who_is_told_of_releases_costs_other_commands_nothing(stopped: Bench, words: tuple[str, ...]) -> None:
    (stopped.folder / "proxyswitch.toml").write_text('[[notify]]\ncommand = "true"\n[metrics]\ntextfile = "web.prom"\n')
    assert loaded(stopped, *words) & {"apprise", "prometheus_client", "concurrent", "http"} == set()
