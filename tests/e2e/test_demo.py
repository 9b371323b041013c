"""`demo`: it shows what it promises, against the usual script, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.model import ProcessId
from proxyswitch.polling import until
from proxyswitch.system import proc, signals
from tests.e2e.shop import wait
from tests.e2e.support import LIMIT, Bench, Run


@pytest.fixture
def stage(place: Bench) -> Iterator[Bench]:
    """A bench whose temporary folder is its own, so that what stays there is seen; everything of it is ended."""
    temp = place.folder / "tmp"
    temp.mkdir()
    yield place
    for process in left(temp):
        signals.send(process, signals.KILL)
    wait(lambda: not left(temp))


def left(temp: Path) -> list[ProcessId]:
    """Processes of demos in that folder: nginx by its arguments, instances by their working folder."""
    pids = (p for p in proc.pids() if str(temp) in proc.title(p) or proc.link(p, "cwd").startswith(str(temp)))
    children = (c for p in pids if p != os.getpid() for c in (p, *proc.children(p)))
    return [p for p in map(proc.identify, children) if p]


def demo(stage: Bench, *words: str) -> Run:
    return stage.run("demo", *words, env={"TMPDIR": str(stage.folder / "tmp")})


def nothing_left(stage: Bench) -> bool:
    return not list((stage.folder / "tmp").iterdir()) and not left(stage.folder / "tmp")


def test_a_release_and_a_rollback_lose_no_request(stage: Bench) -> None:
    result = demo(stage)
    assert result.code == 0, result.err
    assert " requests, 0 failed; answered: " in result.out
    rows = {line.split("\t")[0]: line.split("\t") for line in result.out.splitlines() if "\t" in line}
    assert rows["requests"] == ["requests", "sent", "ok", "failed", "reused"]
    assert set(rows) == {"requests", "keep-alive", "new connection", "idle keep-alive", "long", "all"}
    assert int(rows["long"][2]) > 0
    assert rows["all"][3] == "0"
    assert "from version 1" in result.out
    assert "from version 2" in result.out
    assert "proxyswitch deploy web --version 2" in result.err
    assert "proxyswitch rollback web" in result.err
    assert nothing_left(stage)
    assert not stage.state.exists()  # the state of real releases is not touched


def test_the_usual_script_cuts_long_requests_and_what_is_kept_can_be_played_with(stage: Bench) -> None:
    result = demo(stage, "--baseline", "--keep", "--json")
    assert result.code == 0, result.err
    facts = json.loads(result.out)
    assert facts["baseline"] is True
    assert facts["failures"] > 0
    assert facts["by_kind"].get("cut", 0) + facts["by_kind"].get("http 502", 0) > 0
    assert set(facts["by_version"]) == {"1", "2"}
    (folder,) = (stage.folder / "tmp").iterdir()
    assert facts["folder"] == str(folder)
    env = {"PROXYSWITCH_STATE": str(folder / "state"), "PROXYSWITCH_CONFIG": str(folder / "proxyswitch.toml")}
    mine = Bench(folder / "nginx", stage.user, stage.python, stage.path)
    assert mine.run("status", env=env).code == 0
    deployed = mine.run("deploy", "web", "--version", "3", env=env)
    assert deployed.code == 0, deployed.err
    assert mine.run("stop", "web", "--force", env=env).code == 0
    pid = proc.identify(int((folder / "nginx" / "nginx.pid").read_text()))
    assert pid
    signals.send(pid, signals.TERM)
    assert until(lambda: None if left(stage.folder / "tmp") else True, LIMIT)
    shutil.rmtree(folder)
