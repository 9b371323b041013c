"""Is there room: what is judged how, in numbers and words; and what is looked at for which runner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import preflight, settings_base, settings_runners
from proxyswitch.model import Instance, ProcessId
from proxyswitch.preflight import Level, Place, Seen, judge
from proxyswitch.settings_app import App
from proxyswitch.settings_base import Bytes, Local
from proxyswitch.settings_release import Needs
from proxyswitch.system import machine, memory, proc
from proxyswitch.system.memory import Free
from tests.cgroups import Group, memory_group
from tests.disks import tmpfs
from tests.release import values
from tests.system.helpers import python

MB = 2**20
REFUSE, WARN = Level.REFUSE, Level.WARN
LOGS = Place("/var/log/web", "where its logs go", 10**12, 10**6)


def needs(**more: Any) -> Needs:
    return Needs(**more)


def seen(**more: Any) -> Seen:
    usual: dict[str, Any] = {"name": "web", "more": 1, "uses": 300 * MB, "room": Free(1000 * MB), "places": (LOGS,)}
    return Seen(**(usual | more))


@pytest.mark.parametrize(
    ("wanted", "found", "levels"),
    [
        # memory
        (needs(), seen(), []),
        (needs(), seen(room=Free(301 * MB)), [WARN]),
        (needs(), seen(room=Free(300 * MB)), [WARN]),  # just enough is close
        (needs(), seen(room=Free(299 * MB)), [REFUSE]),
        (needs(), seen(room=Free(0)), [REFUSE]),
        (needs(), seen(room=Free(334 * MB)), []),  # a tenth of it would be left
        (needs(memory=Bytes(2000 * MB)), seen(), [REFUSE]),  # what is wanted counts, not what is used
        (needs(memory=Bytes(100 * MB)), seen(uses=5000 * MB), []),
        (needs(memory=Bytes(100 * MB)), seen(uses=None), []),  # the first release
        (needs(memory=Bytes(2000 * MB)), seen(uses=None), [REFUSE]),
        (needs(memory=Bytes(0)), seen(room=Free(0)), []),
        (needs(), seen(uses=None, room=Free(0)), []),  # nothing is known, nothing is said
        (needs(), seen(uses=0, room=Free(0)), []),
        (needs(), seen(room=None), []),
        (needs(), seen(more=0, room=Free(0)), []),  # never two at once
        (needs(), seen(more=3), []),
        (needs(), seen(more=4), [REFUSE]),
        (needs(), seen(room=Free(1), elsewhere=True), [WARN]),
        # disk
        (needs(disk=Bytes(10**12)), seen(), [WARN]),
        (needs(disk=Bytes(10**12 + 1)), seen(), [REFUSE]),
        (needs(disk=Bytes(0)), seen(places=(Place("/x", "why", 0, 10**6),)), []),
        (needs(), seen(places=(Place("/x", "why", 0),)), [REFUSE]),
        (needs(), seen(places=()), []),
        (needs(), seen(places=(Place("/x", "why", 10**12),)), []),  # files are not counted there
        (needs(), seen(places=(Place("/x", "why", 10**12, 0),)), [REFUSE]),
        (needs(), seen(places=(Place("/x", "why", 0, 0),)), [REFUSE, REFUSE]),
        (needs(), seen(places=(LOGS, Place("/x", "why", 0))), [REFUSE]),
        # load
        (needs(), seen(load=1000.0), []),
        (needs(load=2), seen(load=1.5), []),
        (needs(load=2), seen(load=1.9), [WARN]),
        (needs(load=2), seen(load=2.1), [REFUSE]),
        (needs(load=2), seen(load=0.0), []),
        # several
        (needs(load=2), seen(load=2.1, room=Free(1), places=(Place("/x", "why", 1),)), [REFUSE] * 3),
        (needs(load=2), seen(load=1.9, room=Free(1)), [REFUSE, WARN]),
    ],
)
def test_too_little_is_refused_and_what_is_close_is_told(wanted: Needs, found: Seen, levels: list[Level]) -> None:
    assert [verdict.level for verdict in judge(wanted, found)] == levels


@pytest.mark.parametrize(
    ("wanted", "found", "words"),
    [
        (
            needs(),
            seen(room=Free(120 * MB, "/system.slice/cron.service")),
            "web needs about 300 MB, as the running instance; 120 MB are free (limit of the cgroup"
            " /system.slice/cron.service): it would not fit beside what runs",
        ),
        (
            needs(memory=Bytes(3 * 2**29)),
            seen(room=Free(1550 * MB)),
            "web needs about 1.5 GB, by needs.memory; 1.5 GB are free: next to nothing would be left",
        ),
        (
            needs(),
            seen(more=4, room=Free(1000 * MB)),
            "web needs about 300 MB for each of 4 more instances, as the running instance; 1000 MB are free:"
            " it would not fit beside what runs",
        ),
        (
            needs(memory=Bytes(512 * MB)),
            seen(room=Free(120 * MB), elsewhere=True),
            "web needs about 512 MB, by needs.memory; 120 MB are free: it would not fit beside what runs;"
            " it may run on another machine",
        ),
        (
            needs(),
            seen(places=(Place("/var/log/web", "where its logs go", 12 * MB),)),
            "12 MB are free in /var/log/web, where its logs go; web needs 200 MB there, by needs.disk",
        ),
        (
            needs(),
            seen(places=(Place("/srv", "where its logs go", 10**12, 7),)),
            "no more than 7 files can be made in /srv, where its logs go",
        ),
        (
            needs(load=2.5),
            seen(load=3.14159),
            "the load of the last minute is 3.14 a processor; web allows 2.5, by needs.load",
        ),
    ],
)
def test_the_words_have_the_numbers(wanted: Needs, found: Seen, words: str) -> None:
    (verdict,) = judge(wanted, found)
    assert verdict.what == words


# what is looked at


@pytest.fixture
def group() -> Iterator[Group]:
    with memory_group() as made:
        yield made


@pytest.fixture
def running() -> Iterator[Instance]:
    with python('held = bytearray(b"x" * 80 * 2**20); print("ready", flush=True); input()') as child:
        process = proc.identify(child.pid)
        assert process
        yield Instance("blue", "1", process)


def of(driver: str, table: settings_base.Runner, **more: Any) -> App:
    return values.app(**({"process": None, "driver": driver, driver: table} | more))


def look(app: App, *instances: Instance, more: int = 1, folder: Path = Path("/nowhere")) -> Seen:
    return preflight.look("web", app, instances, more, folder)


PROCESS = values.app()
GUNICORN = of("gunicorn", settings_runners.Gunicorn(command=["g"], current=Local("/c"), release="{version}"))
SYSTEMD = of("systemd", settings_runners.Systemd(unit="web@{slot}"))
UNIT = of("systemd", settings_runners.Systemd(unit="web"), slots={"main": values.BLUE})
SWARM = of("swarm", settings_runners.Swarm(service="web", image="web:{version}"), slots={"main": "auto"})


def test_the_largest_instance_counts(running: Instance) -> None:
    us = proc.identify(os.getpid())
    found = look(PROCESS, running, Instance("green", "1", us))
    assert running.pid
    sizes = [memory.of_tree(pid, enough=2**50) for pid in (os.getpid(), running.pid)]
    assert sizes[0] > 1.2 * sizes[1]  # we have started the other, and have it in our tree
    assert found.uses == pytest.approx(sizes[0], rel=0.2)
    assert found.room
    assert found.room.bytes <= (memory.available() or 0) * 1.2


def test_nothing_is_measured_where_nothing_is_asked(running: Instance) -> None:
    assert look(PROCESS, running, more=0).uses is None
    assert look(values.app(needs=Needs(memory=Bytes(1))), running).uses is None
    assert look(PROCESS).uses is None
    assert look(PROCESS, Instance("blue", "1", None)).uses is None
    gone = Instance("blue", "1", ProcessId(2**22 + 1, 1))
    assert not look(PROCESS, gone).uses
    assert judge(Needs(), look(PROCESS, gone)) == []
    assert look(PROCESS).load == 0
    assert look(values.app(needs=Needs(load=1))).load == pytest.approx(machine.load(), abs=0.5)


@pytest.mark.root
@pytest.mark.parametrize(
    ("app", "limit"),
    [(PROCESS, ""), (SWARM, ""), (GUNICORN, "unit"), (UNIT, "unit"), (SYSTEMD, "outer")],
    ids=["process", "swarm", "gunicorn", "systemd in place", "systemd"],
)
def test_whose_limits_hold_for_the_new_version(group: Group, running: Instance, app: App, limit: str) -> None:
    """Ours, for what we start ourselves; those of the running one, where it starts the new one; what is around it, where
    each has a limit for itself."""
    group.limit(150 * MB)
    inner = group.inner("unit")
    inner.limit(120 * MB)
    assert running.pid
    inner.add(running.pid)
    found = look(app, running).room
    assert found
    assert found.group == {"": found.group, "unit": inner.name, "outer": group.name}[limit]
    assert (found.bytes <= 150 * MB) is bool(limit)


@pytest.mark.root
def test_our_own_limit_holds_for_what_we_start(group: Group) -> None:
    group.limit(2**40)  # far above what this machine has: only the name could be wrong
    home = next(row.split(":")[2] for row in proc.cgroup(os.getpid()).splitlines() if ":memory:" in row or row[:3] == "0::")
    base = Path("/sys/fs/cgroup/memory" if group.version == 1 else "/sys/fs/cgroup")
    group.add(os.getpid())
    try:
        assert group.name in [found.group for found in memory.below_limits(os.getpid())]
    finally:
        (base / home.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))


@pytest.mark.root
def test_the_folders_that_are_filled(tmp_path: Path) -> None:
    with tmpfs(tmp_path) as mount:
        logs, state, elsewhere = mount("size=1m"), mount("size=2m"), mount("size=4m")
        known = settings_runners.Process(command=["run"], log_dir=Local(logs / "web"))
        assert [place.bytes for place in look(values.app(process=known), folder=state).places] == [2**20]
        assert [place.bytes for place in look(PROCESS, folder=state).places] == [2**21]
        written = Instance("blue", "1", None, log=str(elsewhere / "web.log"))  # as the runner tells
        assert [place.bytes for place in look(SYSTEMD, written, folder=state).places] == [2**22]
        assert [place.bytes for place in look(PROCESS, written, folder=state).places] == [2**21, 2**22]
        table = settings_runners.Gunicorn(command=["g"], current=Local("/c"), release="{version}", log=Local(logs / "g.log"))
        assert [place.bytes for place in look(of("gunicorn", table), folder=state).places] == [2**20]
        assert [place.bytes for place in look(GUNICORN, folder=state).places] == [2**21]


def test_one_folder_of_each_disk_is_enough(tmp_path: Path) -> None:
    written = Instance("blue", "1", None, log=str(tmp_path / "web.log"))
    assert len(look(PROCESS, written, folder=tmp_path / "state").places) == 1
    assert look(SWARM).places == ()
    assert look(SYSTEMD).places == ()
