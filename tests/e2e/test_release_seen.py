"""What a person sees of releases: on a terminal while one runs, from cron, and afterwards."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from proxyswitch.polling import until
from tests.e2e.haproxy_pairs import done
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.shop import Shop, shop, wait
from tests.e2e.support import LIMIT
from tests.e2e.test_canary_deploy import FEW, ILL, MANUAL, asked
from tests.e2e.test_status import table
from tests.e2e.test_terminal import Terminal, cron, env_of, terminal, whole

__all__ = ["terminal"]
pytest_plugins = ["tests.e2e.haproxy_fixtures"]

CANARY: dict[str, Any] = {"strategy": "canary", "canary": MANUAL, "analysis": FEW}


@pytest.fixture
def ha(ha_place: HaproxyBench) -> Iterator[Shop]:
    """Version 1 is live in slot blue of a pool of HAProxy; its canary gets 20 % and waits for a person."""
    with shop(ha_place, "haproxy") as made:
        made.configure(**CANARY)
        done(made.run("start", "web:blue", "--version", "1"))
        wait(lambda: ha_place.servers["app_backend", "app-blue"]["srv_op_state"] == "2")
        yield made


def deciding(web: Shop) -> None:
    """Wait until the canary has its share and a person is asked."""
    wait(lambda: (s := web.run("status", "--json").json["apps"][0])["release"] and s["release"]["decision"])


# a terminal


def test_a_canary_is_followed_live(ha: Shop, terminal: Terminal) -> None:
    with asked(ha.bench.port):
        name = terminal.start(ha.bench, "deploy", "web", "--version", "2")
        terminal.until(name, "waits for promote or abort")
        # the figures of both sides grow while it is looked at
        green, blue = r"green  \[####\.{16}\]  20 %  0 of (\d+) failed", r"blue   \[#{16}\.{4}\]  80 %  0 of (\d+) failed"
        seen = re.compile(rf"{green}.*\n +{blue}")

        def counted() -> list[int]:
            found = seen.search(terminal.screen(name))
            return [int(number) for number in found.groups()] if found else []

        first = until(lambda: counted() or None, LIMIT)
        assert first, terminal.screen(name)
        assert until(lambda: ((now := counted()) and now > first) or None, LIMIT), terminal.screen(name)
        lines = terminal.screen(name).rstrip().splitlines()
        assert lines[0] == "start web 2 in slot green"
        assert lines[-3].startswith("web waits for promote or abort [")
        assert lines[-3].endswith(" left")
        assert sum("is watched" in line or "waits for" in line for line in lines) == 1  # written over, not again and again
        assert whole(lines[-3:])
        done(ha.run("promote", "web"))
        after = terminal.until(name, "ended with 0").rstrip().splitlines()
    assert not [line for line in after if "[" in line], after  # no bar is left
    assert re.fullmatch(r"web: 1 \(blue\) → 2 \(green\) \(.+\)", after[-2])


def test_ctrl_c_leaves_nothing_of_the_live_lines(ha: Shop, terminal: Terminal) -> None:
    name = terminal.start(ha.bench, "deploy", "web", "--version", "2")
    terminal.until(name, "waits for promote or abort")
    terminal.tmux("send-keys", "-t", name, "C-c")
    lines = terminal.until(name, "ended with 130").rstrip().splitlines()
    assert not [line for line in lines if "[" in line or "^C" in line or "left" in line], lines
    assert "taking back: stop web in slot green" in lines
    assert "proxyswitch: interrupted by SIGINT" in lines
    assert ha.instances() == {"blue": "1"}


def test_a_narrow_terminal_cuts_the_live_lines(ha: Shop, terminal: Terminal) -> None:
    name = terminal.start(ha.bench, "deploy", "web", "--version", "2")
    terminal.tmux("resize-window", "-t", name, "-x", "40", "-y", "20")
    terminal.until(name, "waits for promote or abort")
    wait(lambda: "blue" in terminal.screen(name))
    assert terminal.screen(name).count("waits for promote") == 1
    done(ha.run("abort", "web"))
    assert "[" not in terminal.until(name, "ended with 3")


def test_status_shows_shares_and_what_waits(ha: Shop, terminal: Terminal) -> None:
    ha.spawn("2")
    deciding(ha)
    lines = terminal.run(ha.bench, "status")
    assert whole(lines)
    assert lines[0] == "web: canary, behind app_backend (haproxy), run by process"
    assert lines[1] == "  blue   live  [################....]    80 %  1"
    assert lines[3] == "  green  live  [####................]    20 %  2"
    text = " ".join(line.strip() for line in lines)
    assert re.search(r"under way: release 1 → 2, begun \S+ \S+ by \S+, at step \d+ of \d+: watch web 2 with 20 %", text)
    assert "to go on now: proxyswitch promote web; to go back: proxyswitch abort web" in text
    seen = ha.run("status", "--json").json["apps"][0]
    assert {s["slot"]: s["share"] for s in seen["slots"]} == {"blue": 80, "green": 20}
    assert (seen["interrupted"], seen["release"]["runs"], seen["strategy"]) == (False, True, "canary")
    assert [row["share"] for row in table(ha.run("status").out)] == ["80 %", "20 %"]
    done(ha.run("abort", "web"))
    wait(lambda: ha.run("status", "--json").json["apps"][0]["release"] is None)


def test_shares_are_those_that_run_whatever_the_file_says(ha: Shop) -> None:
    done(ha.run("start", "web:green", "--version", "2"))
    ha.bench.tell("set server app_backend/app-green state ready")  # type: ignore[attr-defined]
    slots = ha.run("status", "--json").json["apps"][0]["slots"]
    assert [(slot["live"], slot["share"]) for slot in slots] == [(True, 50), (True, 50)]


def test_status_says_what_a_killed_release_left(ha: Shop) -> None:
    running = ha.spawn("2")
    deciding(ha)
    running.kill()
    running.communicate()
    result = ha.run("status")
    assert re.search(
        r"web: a release was interrupted: release 1 → 2, begun \S+ \S+ by \S+, at step 5 of \d+: watch .*;"
        r" put it right with: proxyswitch recover",
        result.err,
    )
    seen = ha.run("status", "--json").json["apps"][0]
    assert (seen["interrupted"], seen["release"]["runs"], seen["release"]["number"]) == (True, False, 5)
    done(ha.run("recover"))
    entry = json.loads(ha.run("history", "web", "--timeline", "--json").out)
    assert [(s["step"].partition(" ")[0], s.get("failed", False)) for s in entry["steps"]] == [
        *[("start", False), ("wait", False), ("change", False), ("prove", False)],
        ("watch", True),
    ]
    assert entry["seconds"] > 0


# from cron


def test_from_cron_a_release_is_one_line_and_no_release_is_silent(web: Shop) -> None:
    words = "--config", str(web.settings), "--nginx-conf", str(web.bench.conf)
    first, second = (cron(web.bench, "deploy", "web", "--version", "2", *words) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert re.fullmatch(r"web: 1 \(blue\) → 2 \(green\) \(.+\)\n", first.stdout)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    back = cron(web.bench, "rollback", "web", *words)
    assert (back.returncode, back.stderr) == (0, "")
    assert re.fullmatch(r"web: 2 \(green\) → 1 \(blue\) \(.+\)\n", back.stdout)


def test_from_cron_a_canary_is_one_line(ha: Shop) -> None:
    ha.configure(strategy="canary", canary={"steps": ["20%"], "pause": "500ms"}, analysis={"min_requests": 1})
    with asked(ha.bench.port):
        result = cron(ha.bench, "deploy", "web", "--version", "2", "--config", str(ha.settings))
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 1


def test_from_cron_a_failure_says_what_was_taken_back(web: Shop) -> None:
    words = "--config", str(web.settings), "--nginx-conf", str(web.bench.conf)
    result = cron(web.bench, "deploy", "web", "--version", "2-crashes", *words)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("taking back: stop web in slot green\nproxyswitch: ")
    assert "start web" not in result.stderr


def test_on_a_terminal_each_start_is_told(web: Shop, terminal: Terminal) -> None:
    lines = terminal.run(web.bench, "deploy", "web", "--version", "2")
    assert lines[0] == "start web 2 in slot green"
    assert lines[-1] == "ended with 0"
    assert "start web" not in " ".join(terminal.run(web.bench, "deploy", "web", "--version", "3", "-q"))


def test_the_answer_goes_into_a_file_and_the_live_lines_do_not(ha: Shop, terminal: Terminal) -> None:
    """`deploy … > file` on a terminal: what is shown for a moment is on standard error alone."""
    ha.configure(strategy="canary", canary={"steps": ["20%"], "pause": "1s"})
    target = ha.bench.folder / "answer.txt"
    command = shlex.join(ha.bench.argv("deploy", "web", "--version", "2"))
    settings = shlex.join(f"{key}={value}" for key, value in env_of(ha.bench).items())
    inner = f"env -i {settings} {command} > {shlex.quote(str(target))}; echo ended with $?; exec sleep 600"
    terminal.sessions += 1
    terminal.tmux("new-session", "-d", "-s", "file", "-x", "80", "-y", "24", "-c", str(ha.bench.folder), inner)
    after = terminal.until("file", "ended with 0")
    assert "[" not in after
    assert re.fullmatch(r"web: 1 \(blue\) → 2 \(green\) \(.+\)\n", target.read_text())


# afterwards


def test_the_timeline_of_a_canary(ha: Shop, terminal: Terminal) -> None:
    ha.configure(strategy="canary", canary={"steps": ["10%", "50%"], "pause": "300ms"})
    ha.deploy("2")
    lines = terminal.run(ha.bench, "history", "web", "--timeline")
    assert whole(lines)
    text = " ".join(line.strip() for line in lines)
    assert re.match(r"web: release 1 → 2 \(blue → green\), \S+ \S+ by \S+ id \S+: proxyswitch deploy web --version 2 ", text)
    shares = re.findall(r"= (.+?) \(runtime, proven\)", text)
    assert shares == ["app-blue 90 %, app-green 10 %", "app-blue 50 %, app-green 50 %", "app-green 100 %"]
    assert len(re.findall(r"\[\.*#+\.*\] watch web 2 with", text)) == 2
    assert re.search(r"done after [\d.]+ s", text)
    entry = json.loads(ha.run("history", "web", "--timeline", "--json").out)
    began = [step["at"] for step in entry["steps"]]
    assert began == sorted(began)
    assert entry["steps"][-1]["step"] == "stop web in slot blue"
    assert sum(step["seconds"] for step in entry["steps"]) <= entry["seconds"] + 0.1


def test_the_timeline_of_a_release_that_failed_and_of_one_that_was_taken_back(ha: Shop) -> None:
    ha.configure(strategy="canary", canary={"steps": ["20%"], "pause": "20s"}, analysis=FEW, command=ILL)
    with asked(ha.bench.port):
        ha.deploy("2-errors", code=3)
    failed = ha.run("history", "web", "--timeline").out
    assert "failed: watch web 2-errors" in failed
    assert "take back: start web 2-errors" in failed
    assert "taken back: app_backend: = app-blue 100 % (runtime, proven)" in failed
    assert "failed after " in failed
    ha.configure()
    ha.deploy("3")
    done(ha.run("rollback", "web"))
    known = {entry["version"]: entry["id"] for entry in ha.history() if entry["kind"] == "release"}
    text = ha.run("history", known["3"], "--timeline").out
    assert re.search(r"taken back by \S+, .+: rollback to 1, id \S+\n\Z", text), text
    assert known["3"] in text
    assert known["2-errors"] not in text
    assert len(ha.run("history", "web", "--timeline", "-n", "3").out.split("\n\n")) == 3


def test_parts_of_a_release_are_listed_with_all(ha: Shop, terminal: Terminal) -> None:
    ha.configure(strategy="canary", canary={"steps": ["10%", "50%"], "pause": "100ms"})
    ha.deploy("2")
    done(ha.run("set", "app_backend/app-blue", "maint"))
    assert [row["what"] for row in table(ha.run("history").out)] == ["release", "set"]
    assert [row["what"] for row in table(ha.run("history", "app_backend").out)] == ["release", "set"]
    assert [row["what"] for row in table(ha.run("history", "web").out)] == ["release"]
    whats = [row["what"] for row in table(ha.run("history", "--all").out)]
    assert whats == ["release", "switch", "switch", "switch", "set"]
    assert len(ha.run("history", "--json").out.splitlines()) == 5
    lines = terminal.run(ha.bench, "history", "--all")
    assert sum("    switch" in line for line in lines) == 3
    assert all(len(line) <= 80 for line in lines)


def test_there_is_no_timeline_of_what_is_no_release(web: Shop) -> None:
    for words in ((), ("shop",)):
        result = web.run("history", *words, "--timeline")
        assert (result.code, result.out) == (2, "")
        assert "no release" in result.err


def test_what_is_not_confirmed_is_told(web: Shop, terminal: Terminal) -> None:
    web.configure(migrate={"contract": ["true"], "confirm_after": "1h"})
    web.deploy("2")
    (seen,) = web.run("status", "--json").json["apps"]
    (entry,) = (e for e in web.history() if e["kind"] == "release")
    assert seen["unconfirmed"] == {"versions": ["2"], "due": entry["at"] + 3600}
    text = " ".join(line.strip() for line in terminal.run(web.bench, "status"))
    assert "not confirmed: 2; run its contract migrations with: proxyswitch confirm web (`confirm --due` does it" in text
    assert web.run("status").err == ""  # nothing that cron would mail
    done(web.run("confirm", "web"))
    assert web.run("status", "--json").json["apps"][0]["unconfirmed"] is None
    (row,) = (row for row in table(web.run("history").out) if row["what"] == "confirm")
    assert row["change"] == "2"
    assert "confirmed by " in web.run("history", "web", "--timeline").out


def test_time_without_anybody_is_told(web: Shop) -> None:
    web.configure(strategy="stop-start")
    web.deploy("2")
    (row,) = table(web.run("history").out)
    assert re.fullmatch(r"1 → 2, nobody served for [\d.]+ s", row["change"])
    assert "nobody served for " in web.run("history", "web", "--timeline").out
