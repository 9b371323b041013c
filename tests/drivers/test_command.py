"""What is special about commands of a person's own: what they are told, and what their answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from proxyswitch.errors import Failed, NeedsPerson, SettingsError, UsageError
from proxyswitch.system import net
from tests.drivers.command_world import Scripts, scripts

__all__ = ["scripts"]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"reload": ""}, "reload: must not be empty"),
        ({"stop": []}, "stop: must not be empty"),
        ({"strat": "x"}, "strat"),
    ],
)
def test_settings_that_cannot_be(scripts: Scripts, keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(SettingsError, match=wanted):
        scripts.driver("blue", **keys)


def test_one_slot_needs_a_reload(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    table = scripts.table()
    del table["reload"]
    monkeypatch.setattr(scripts, "table", lambda: table)
    with pytest.raises(SettingsError, match="reload: this key is required with one slot"):
        scripts.driver("blue")


def test_commands_are_told_the_facts(scripts: Scripts) -> None:
    told = "echo $PROXYSWITCH_COMMAND $PROXYSWITCH_SLOT $PROXYSWITCH_VERSION $PORT {address} $EXTRA; exit 1"
    driver = scripts.driver(start=told, env={"EXTRA": "more-{version}"})
    with pytest.raises(Failed) as failed:
        driver.start(scripts.slot(), "v7")
    port = scripts.ports["blue"]
    assert "the command start" in str(failed.value)
    assert f"start blue v7 {port} 127.0.0.1:{port} more-v7" in str(failed.value)
    assert not net.is_listening(scripts.slot().endpoint)


@pytest.mark.parametrize("code", [1, 2, 127])
def test_a_status_that_is_neither_yes_nor_no(scripts: Scripts, code: int) -> None:
    driver = scripts.driver(status=f"echo who knows; exit {code}")
    with pytest.raises(Failed, match="who knows") as failed:
        driver.status(scripts.slot())
    assert "with 3 when it does not" in failed.value.next_step


def test_a_status_that_hangs(scripts: Scripts) -> None:
    with pytest.raises(Failed, match="the command status"):
        scripts.driver(status="exec sleep 60", status_timeout="200ms").status(scripts.slot())


def test_the_version_is_what_status_prints_else_what_was_started(scripts: Scripts) -> None:
    assert (found := scripts.driver(status="echo 7.1").status(scripts.slot()))
    assert found.version == "7.1"
    assert (found := scripts.driver(status="echo web is running").status(scripts.slot()))
    assert found.version == ""


def test_a_stop_that_stops_nothing_needs_a_person(scripts: Scripts) -> None:
    with pytest.raises(NeedsPerson, match="the app still runs"):
        scripts.driver(status="true", stop="true", stop_timeout="300ms").stop(scripts.slot())


def test_a_stop_that_hangs_is_ended_in_time(scripts: Scripts) -> None:
    with pytest.raises(Failed, match="the command stop did not end"):
        scripts.driver(status="true", stop="sleep 60", stop_timeout="300ms").stop(scripts.slot())
    assert not scripts.processes()


def test_a_version_that_a_shell_would_not_take_as_a_word(scripts: Scripts) -> None:
    driver = scripts.driver(start="touch {version}")
    with pytest.raises(UsageError, match="cannot be put into a shell command"):
        driver.start(scripts.slot(), "a; touch b")
    assert not (scripts.folder / "b").exists()


def test_a_program_that_is_not_there(scripts: Scripts) -> None:
    with pytest.raises(UsageError, match="there is no program"):
        scripts.driver(start=["/nowhere/web.sh"]).about()


def test_logs_by_a_command(scripts: Scripts) -> None:
    driver = scripts.driver(logs=[str(scripts.script), "logs"])
    assert list(driver.logs(scripts.slot(), 7)) == ["the last 7 lines"]
