"""What the systemd driver asks, how it reads the answers, and what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyswitch.drivers.systemd.doctor import problems
from proxyswitch.drivers.systemd.layout import Laid, Layout, drop_in, environment_file
from proxyswitch.drivers.systemd.manager import journalctl, read, systemctl
from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint, Slot
from proxyswitch.settings_base import Local
from proxyswitch.settings_runners import Systemd

SLOT = Slot("blue", Endpoint("127.0.0.1", 3001))
ODD = '100% of "it" \\ costs $5 `now`'
LOADED = "LoadState=loaded\n"


def test_commands() -> None:
    assert systemctl("system", "stop", "web").argv == ("systemctl", "--no-ask-password", "stop", "web")
    assert systemctl("user", "stop", "web").argv == ("systemctl", "--user", "--no-ask-password", "stop", "web")
    assert journalctl("user", "web", 5).argv == (
        *("journalctl", "--user", "--quiet", "--no-pager", "--output=cat", "--lines=5", "--unit=web"),
    )


@pytest.mark.parametrize(
    ("text", "running", "settled", "idle"),
    [
        ("ActiveState=active\nSubState=running\nJob=", True, True, False),
        ("ActiveState=active\nSubState=running\nJob=17", True, False, False),
        ("ActiveState=activating\nSubState=start", True, False, False),
        ("ActiveState=activating\nSubState=auto-restart", False, True, False),
        ("ActiveState=reloading\nSubState=reload", True, False, False),
        ("ActiveState=deactivating\nSubState=stop-sigterm", False, False, False),
        ("ActiveState=inactive\nSubState=dead\nJob=17", False, False, False),
        ("ActiveState=inactive\nSubState=dead", False, True, True),
        ("ActiveState=failed\nSubState=failed", False, True, True),
    ],
)
def test_states(text: str, running: bool, settled: bool, idle: bool) -> None:
    state = read("web.service", text)
    assert (state.running, state.settled, state.idle) == (running, settled, idle)


def test_how_it_ended_in_words() -> None:
    text = "ActiveState=failed\nSubState=failed\nResult=exit-code\nMainPID=0\nExecMainCode=1\nExecMainStatus=3\nNRestarts=5"
    assert read("web.service", text).fate() == (
        "failed (failed), exit-code, its main process ended with status 3, systemd has started it again 5 times"
    )
    killed = "ActiveState=failed\nSubState=failed\nResult=signal\nExecMainCode=2\nExecMainStatus=9"
    assert "its main process was ended by signal 9 (SIGKILL)" in read("web.service", killed).fate()


def test_values_are_quoted_as_each_file_needs_it() -> None:
    assert drop_in({"A": ODD}) == '[Service]\nEnvironment="A=100%% of \\"it\\" \\\\ costs $5 `now`"\n'
    assert environment_file({"A": ODD}) == 'A="100% of \\"it\\" \\\\ costs \\$5 \\`now\\`"\n'


def layout(folder: Path, **keys: Any) -> Layout:
    keys.setdefault("environment_file", Local(folder / "{slot}.env"))
    return Layout("web", Systemd(unit="web@{slot}", **keys), SLOT, "web@blue.service")


def test_a_release_is_laid_ready_and_taken_back(tmp_path: Path) -> None:
    (tmp_path / "releases/1").mkdir(parents=True)
    (tmp_path / "releases/2").mkdir()
    one = layout(tmp_path, current=Local(tmp_path / "current"), release=Local(tmp_path / "releases/{version}"))
    assert (one.seen(), one.version()) == (Laid(), "")
    one.lay("1")
    before = one.seen()
    one.lay("2")
    assert (one.version(), (tmp_path / "current").resolve().name) == ("2", "2")
    assert (tmp_path / "blue.env").stat().st_mode & 0o777 == 0o600
    one.back(before)
    assert (one.version(), (tmp_path / "current").resolve().name) == ("1", "1")
    with pytest.raises(UsageError, match="no folder"):
        one.lay("3")
    assert one.seen() == before
    one.back(Laid())
    assert not (tmp_path / "blue.env").exists()
    assert not (tmp_path / "current").is_symlink()


def test_an_odd_version_is_read_back(tmp_path: Path) -> None:
    one = layout(tmp_path)
    one.lay(ODD)
    assert one.version() == ODD


@pytest.mark.parametrize("value", ["two\nlines", "a\0", "\x1b[0m", "\udcff"])
def test_what_no_file_can_hold_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="KEY cannot be given to web"):
        layout(tmp_path, env={"KEY": value}).lay("1")
    assert not (tmp_path / "blue.env").exists()


def test_a_file_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "blue.env").write_text("SECRET=1\n")
    state = read("web@blue.service", f"EnvironmentFiles={tmp_path}/blue.env (ignore_errors=yes)")
    assert "was written by somebody else" in str(next(layout(tmp_path).faults(state)))


def test_a_unit_that_does_not_read_the_file(tmp_path: Path) -> None:
    state = read(
        "web@blue.service", "EnvironmentFiles=/etc/a.env (ignore_errors=no)\nEnvironmentFiles=/etc/b (ignore_errors=yes)"
    )
    fault = next(layout(tmp_path).faults(state))
    assert fault.next_step == f"add to its [Service]: EnvironmentFile={tmp_path}/blue.env"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("LoadState=not-found", "there is no unit web@blue.service (write /etc/systemd/system/web@.service, then"),
        ("LoadState=masked", "web@blue.service is masked"),
        ("LoadState=bad-setting", "systemd cannot load web@blue.service: bad-setting"),
        (f"{LOADED}UnitFileState=static", "cannot be enabled: it has no [Install] section"),
        (f"{LOADED}NeedDaemonReload=yes", "was changed on disk after systemd read it"),
        (f"{LOADED}RemainAfterExit=yes", "active even when all its processes have ended"),
        (f"{LOADED}ActiveState=active\nUnitFileState=disabled", "will not after a boot"),
    ],
)
def test_what_a_person_should_know(tmp_path: Path, text: str, said: str) -> None:
    state = read("web@blue.service", f"{text}\nEnvironmentFiles={tmp_path}/blue.env (ignore_errors=yes)")
    found = [str(problem) for problem in problems(layout(tmp_path, enable=True), state, in_place=False)]
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("keys", "slots", "said"),
    [
        ({"unit": "web"}, "ab", "unit: must contain {slot}"),
        ({"unit": "web@{slot}", "environment_file": "/etc/web.env"}, "ab", "environment_file: must contain {slot}"),
        ({"unit": "web-{version}"}, "a", "unit: 'web-{version}' is no name of a unit"),
        ({"unit": "web.socket"}, "a", "unit: 'web.socket' is no service"),
        ({"unit": "web", "scope": "mine"}, "a", "scope: 'mine' is not known; there is system and user"),
        ({"unit": "web", "reload": "restart"}, "a", "reload: 'restart' is not known; there is reload and try-restart"),
        ({"unit": "web", "current": "/srv/current"}, "a", "current: the link, and release"),
        ({"unit": "web", "current": "/srv/current", "release": "/srv/new"}, "a", "release: must contain {version}"),
        ({"unit": "web", "env": {"A B": "1"}}, "a", "env.A B: is no name of a variable"),
    ],
)
def test_settings_that_cannot_be(keys: dict[str, Any], slots: str, said: str) -> None:
    assert said in "\n".join(Systemd(**keys).problems(tuple(slots)))


@pytest.mark.parametrize("slots", ["a", "ab"])
def test_settings_that_can(slots: str) -> None:
    assert list(Systemd(unit="web@{slot}.service").problems(tuple(slots))) == []
