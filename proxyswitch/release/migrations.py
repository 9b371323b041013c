"""Migrations of a person's database: each phase once a version, one at a time, with its output kept; never run backwards.

`expand` runs while the old version serves, so both must be able to live with what it does; `contract` runs when the new
version stays for good. Which ones have run is in a file of the app, written before and after.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
from msgspec import Struct

from proxyswitch.errors import Busy, Failed
from proxyswitch.release import hooks, steps
from proxyswitch.release.world import World
from proxyswitch.system import clock, files, locks, proc, state
from proxyswitch.system import run as runs

EXPAND, CONTRACT = "expand", "contract"
BEGUN, DONE, FAILED = "begun", "done", "failed"
MARK = "PROXYSWITCH_MIGRATION"  # in its environment: a killed run leaves it running
LINES = 10


class Ran(Struct, frozen=True):
    """One line of the file. `at` in seconds since 1970; `log` is where the output is."""

    version: str
    phase: str
    state: str
    at: float
    log: str = ""


def _path(app: str) -> Path:
    return state.folder() / "apps" / app / "migrations.jsonl"


def ran(app: str) -> list[Ran]:
    """What has run, the oldest first. A line that a crash has cut off is passed over."""
    try:
        lines = files.read(_path(app)).splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Ran))
        except msgspec.MsgspecError:
            continue
    return found


def is_done(app: str, version: str, phase: str) -> bool:
    """True when that phase of that version has run to its end."""
    return any((known.version, known.phase, known.state) == (version, phase, DONE) for known in ran(app))


def run(world: World, step: steps.Migrate) -> None:
    """Run one phase, unless it has run. Raises Failed with its last lines, Busy while another one runs."""
    settings = world.app(step.app).migrate
    words = getattr(settings, step.phase) if settings else None
    if not settings or words is None:
        return
    if is_done(step.app, step.version, step.phase):
        world.detail(f"the migration {step.phase} of {step.app} {step.version} has run before: not again")
        return
    name = settings.lock or step.app
    path = state.sub("locks") / f"migrate-{name}.lock"
    with locks.hold(path, f"the migrations of {name}", world.lock_timeout or 0.0):
        _refuse_orphan(name)
        _run(world, step, hooks.argv(words), float(settings.timeout), name)


def _refuse_orphan(name: str) -> None:
    """Raise Busy while one runs whose proxyswitch was killed."""
    left = proc.with_environment(MARK, name)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise Busy(
            f"a migration of {name} still runs, from a run that was killed (process {pids})",
            next_step="wait until it has ended; then run this again",
        )


def _run(world: World, step: steps.Migrate, argv: tuple[str, ...], timeout: float, name: str) -> None:
    world.detail(steps.describe(step))
    state.sub(step.app, state.sub("apps"))
    log = _log(step)
    _note(step, BEGUN, log)
    facts = hooks.facts(world, steps.RunHook(step.app, f"migrate.{step.phase}", step.slot, step.version))
    cwd = os.path.dirname(os.path.abspath(world.settings.path)) if world.settings.path else None
    result = runs.run(runs.Command(argv, timeout=timeout, cwd=cwd, env=facts | {MARK: name}))
    files.replace(log, (result.out + result.err).encode())
    _note(step, DONE if result.ok else FAILED, log)
    if not result.ok:
        said = "".join(f"\n  | {line}" for line in (result.out + result.err).strip().splitlines()[-LINES:])
        raise Failed(
            f"the migration {step.phase} of {step.app} {step.version} failed: {result.reason()}{said}\n"
            "  what it had done to the database by then stays",
            next_step=f"its whole output is in {log}",
        )


def _log(step: steps.Migrate) -> Path:
    folder = files.make_folder(state.folder() / "apps" / step.app / "logs")
    return folder / f"migrate-{step.phase}-{re.sub(r'[^A-Za-z0-9_.-]', '_', step.version)}.log"


def _note(step: steps.Migrate, what: str, log: Path) -> None:
    known = Ran(step.version, step.phase, what, clock.wall(), str(log))
    files.append(_path(step.app), msgspec.json.encode(known) + b"\n")
