"""The figures of releases: what the history adds up to, and the file that Prometheus reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxyswitch import metrics
from proxyswitch.metrics import Figures
from proxyswitch.release import figures, history
from proxyswitch.release.history import Entry, History
from proxyswitch.settings import Local, Metrics
from proxyswitch.system import locks, state
from tests.bare import run_bare


def entry(at: float, version: str, slot: str, *, app: str = "web", kind: str = history.RELEASE, **more: Any) -> Entry:
    return Entry(id=f"{app}-{at}", kind=kind, at=at, app=app, version=version, slot=slot, **more)


PAST = [
    entry(100.0, "1", "blue", seconds=4.0),
    entry(200.0, "2", "green", old_slot="blue", old_version="1", seconds=30.0, drain=12.5),
    entry(300.0, "3", "blue", old_slot="green", old_version="2", result="failed", seconds=7.0),
    entry(250.0, "9", "main", app="api", result="failed", seconds=1.0),
]
BACK = entry(
    400.0, "1", "blue", kind=history.ROLLBACK, undoes="web-200.0", old_slot="green", old_version="2", seconds=5.0, drain=0.5
)


def test_what_the_history_adds_up_to() -> None:
    api, web = figures.of(PAST)
    assert api == Figures(app="api", failed=1, last_seconds=1.0)
    assert web == Figures(
        app="web",
        done=2,
        failed=1,
        last_success=230.0,
        last_seconds=7.0,
        drain=12.5,
        slots=(("green", "2", True), ("blue", "1", False)),
    )


def test_a_rollback_is_a_release_too() -> None:
    _, web = figures.of([*PAST, BACK])
    assert (web.done, web.failed, web.last_success, web.drain) == (3, 1, 405.0, 0.5)
    assert web.slots == (("blue", "1", True), ("green", "2", False))


def test_in_place_there_is_one_slot() -> None:
    (web,) = figures.of([entry(1.0, "2", "main", old_slot="main", old_version="1")])
    assert web.slots == (("main", "2", True),)


def test_the_switch_of_a_pool_is_no_release() -> None:
    switch = Entry(id="1", kind=history.SWITCH, at=1.0, app="web", pool="p", release="2")
    undone = Entry(id="2", kind=history.ROLLBACK, at=2.0, app="web", pool="p", release="2", undoes="1")
    assert figures.of([switch, undone]) == []
    assert figures.of([]) == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "textfile" / "web.prom"


@pytest.fixture
def past(tmp_path: Path, file: Path) -> History:
    file.parent.mkdir()
    found = History(tmp_path / "history.jsonl")
    for one in PAST:
        found.add(one)
    return found


def samples(file: Path) -> dict[tuple[str, ...], float]:
    """The file as Prometheus' own parser reads it."""
    families = text_string_to_metric_families(file.read_text())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def publish(past: History, file: Path) -> list[str]:
    lines: list[str] = []
    figures.publish(Metrics(textfile=Local(file)), past, lines.append)
    return lines


def test_the_file(past: History, file: Path) -> None:
    assert publish(past, file) == []
    assert samples(file) == {
        ("proxyswitch_releases_total", "api", "done"): 0,
        ("proxyswitch_releases_total", "api", "failed"): 1,
        ("proxyswitch_releases_total", "web", "done"): 2,
        ("proxyswitch_releases_total", "web", "failed"): 1,
        ("proxyswitch_last_success_timestamp_seconds", "web"): 230,
        ("proxyswitch_last_release_seconds", "api"): 1,
        ("proxyswitch_last_release_seconds", "web"): 7,
        ("proxyswitch_drain_seconds", "api"): 0,
        ("proxyswitch_drain_seconds", "web"): 12.5,
        ("proxyswitch_active_slot", "web", "green", "2"): 1,
        ("proxyswitch_active_slot", "web", "blue", "1"): 0,
    }
    assert "# TYPE proxyswitch_releases_total counter" in file.read_text()
    past.add(BACK)
    assert publish(past, file) == []
    found = samples(file)
    assert found["proxyswitch_active_slot", "web", "blue", "1"] == 1
    assert found["proxyswitch_releases_total", "web", "done"] == 3


def test_an_older_history_has_no_drain(past: History, file: Path) -> None:
    past.path.write_text('{"id":"1","kind":"release","at":1.0,"app":"web","version":"1","slot":"a"}\n')
    assert publish(past, file) == []
    assert samples(file)["proxyswitch_drain_seconds", "web"] == 0


def test_names_as_people_choose_them(past: History, file: Path) -> None:
    past.add(entry(500.0, 'v"1\\\n', "grün", app="a b"))
    assert publish(past, file) == []
    assert samples(file)["proxyswitch_active_slot", "a b", "grün", 'v"1\\\n'] == 1


def test_nobody_sees_half_a_file_and_others_may_read_it(past: History, file: Path) -> None:
    before = os.umask(0o077)
    try:
        publish(past, file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o644
    with open(file) as reader:  # as node_exporter would, when the next one is written
        first = reader.read(10)
        past.add(BACK)
        publish(past, file)
        assert first + reader.read() != file.read_text()
        reader.seek(0)
        assert reader.read().endswith("\n")
    assert os.listdir(file.parent) == ["web.prom"]


def test_what_a_killed_run_left_is_cleared_away(past: History, file: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    (file.parent / f".web.prom.proxyswitch-{gone.pid}-new").touch()
    publish(past, file)
    assert os.listdir(file.parent) == ["web.prom"]


def test_none_is_wanted(past: History) -> None:
    lines: list[str] = []
    figures.publish(Metrics(), past, lines.append)
    assert lines == []


def test_a_file_that_cannot_be_written_is_reported(past: History, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = file.parent / "gone" / "web.prom"
    assert publish(past, gone) == [f"warning: metrics: {gone}: cannot write: No such file or directory"]
    file.mkdir()
    (line,) = publish(past, file)
    assert line.startswith(f"warning: metrics: {file}: cannot write: ")
    monkeypatch.setattr(figures, "LOCK_TIMEOUT", 0.1)
    with locks.hold(state.sub("locks") / "metrics.lock", "it", 0.0):
        (line,) = publish(past, file)
    assert line.startswith("warning: metrics: the file of metrics is busy: pid ")
    monkeypatch.setattr(past, "path", past.path.parent)  # a folder where the history should be
    (line,) = publish(past, file)
    assert "IsADirectoryError" in line


@pytest.mark.root
def test_a_full_disk_is_reported_and_the_old_file_stays(past: History, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(full)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("mount is not allowed here")
    try:
        file = full / "web.prom"
        assert publish(past, file) == []
        before = file.read_text()
        (full / "rest").write_bytes(b"x" * (16384 - 2 * 4096))
        for n in range(100):
            past.add(entry(1000.0 + n, "1", "a", app=f"app{n}"))
        (line,) = publish(past, file)
        assert "No space left on device (free some disk space" in line
        assert file.read_text() == before
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_without_the_library(tmp_path: Path, file: Path) -> None:
    file.parent.mkdir()
    code = (
        "from proxyswitch import metrics\nfrom proxyswitch.settings import Local, Metrics\n"
        f"print(*metrics.problems(Metrics(textfile=Local({str(file)!r}))))\n"
        f"try:\n    metrics.write({str(file)!r}, [])\nexcept Exception as error:\n    print(*error.lines())"
    )
    assert run_bare(tmp_path, code) == [
        "metrics: prometheus-client is not installed (pip install 'proxyswitch[metrics]')",
        "prometheus-client is not installed state: nothing was changed next: pip install 'proxyswitch[metrics]'",
    ]
    assert not file.exists()


def test_problems(file: Path) -> None:
    assert metrics.problems(Metrics()) == []
    (missing,) = metrics.problems(Metrics(textfile=Local(file)))
    assert missing.what == f"metrics: there is no folder {file.parent}"
    file.parent.mkdir()
    assert metrics.problems(Metrics(textfile=Local(file))) == []
