"""`recover`: what a killed release left is taken back or finished, by the command or by the next release."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.e2e.shop import Long, Shop, wait
from tests.e2e.support import LIMIT
from tests.e2e.test_deploy import untouched


def killed(command: subprocess.Popen[str]) -> None:
    command.send_signal(signal.SIGKILL)
    command.communicate(timeout=LIMIT)


def killed_before_the_switch(web: Shop) -> None:
    running = web.spawn("2-ill")
    wait(lambda: web.listening("green"))
    killed(running)
    assert web.instances() == {"blue": "1", "green": "2-ill"}


def killed_while_it_drains(web: Shop) -> Long:
    """The request that it drains is still open afterwards."""
    long = Long(web, 4.0)
    journal = web.bench.state / "journal" / "app-web.jsonl"
    running = web.spawn("2")
    wait(lambda: journal.exists() and '"number":5,"state":"begin"' in journal.read_text())
    killed(running)
    assert web.instances() == {"blue": "1", "green": "2"}
    return long


def test_nothing_is_left(web: Shop) -> None:
    result = web.run("recover")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert web.run("recover", "--json").json == {"changed": False, "recovered": []}


def test_a_release_that_was_killed_before_the_switch_is_taken_back(web: Shop) -> None:
    killed_before_the_switch(web)
    seen = web.run("status", "--json")
    assert seen.json["apps"][0]["interrupted"] is True
    assert "proxyswitch recover" in web.run("status").err
    result = web.run("recover", "--json")
    assert result.code == 0, result.err
    assert result.json == {"changed": True, "recovered": ["took back an interrupted release of web 2-ill"]}
    untouched(web)
    assert web.releases() == [("release", "2-ill", "failed")]
    assert web.run("recover", "--json").json["changed"] is False


def test_a_release_that_was_killed_behind_the_switch_is_finished(web: Shop) -> None:
    long = killed_while_it_drains(web)
    result = web.run("recover")
    assert result.code == 0, result.err
    assert "finished an interrupted release of web 2" in result.err
    assert long.end() == "1"  # it was waited for
    assert web.instances() == {"green": "2"}
    assert web.bench.version() == "2"
    assert web.journals() == []
    assert web.releases() == [("release", "2", "done")]


@pytest.mark.parametrize("words", [("deploy", "web", "--version", "3"), ("stop", "web:green")])
def test_the_next_command_recovers_by_itself(web: Shop, words: tuple[str, ...]) -> None:
    killed_before_the_switch(web)
    result = web.run(*words)
    assert result.code == 0, result.err
    assert "took back an interrupted release of web 2-ill" in result.err
    assert web.instances() == ({"blue": "1"} if words[0] == "stop" else {"green": "3"})
    assert web.journals() == []


def test_a_journal_that_makes_no_sense_is_left_to_a_person(web: Shop) -> None:
    journal = web.bench.state / "journal" / "app-web.jsonl"
    journal.parent.mkdir(exist_ok=True)
    journal.write_text("hello\n")
    for words in (("recover",), ("deploy", "web", "--version", "2")):
        result = web.run(*words)
        assert result.code == 4, result.err
        assert str(journal) in result.err
    assert journal.read_text() == "hello\n"
    assert web.instances() == {"blue": "1"}
