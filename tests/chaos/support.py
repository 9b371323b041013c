"""What the crash tests share: places to crash in, the points where a command can be killed, and many points at once."""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from proxyswitch.release.history import Entry, History
from tests.e2e.support import CONF, POOLS, REPO, Bench, Run

KILLED = -9
PATIENCE = 3  # so many failures of one hand are enough to see

TWO_POOLS = CONF.replace("include pools.conf;", "include conf.d/*.conf;").replace(
    "location / {{", "location /other/ {{ proxy_pass http://other_backend/; }}\n        location / {{"
)
OTHER = """
upstream other_backend {{
    server 127.0.0.1:{other};  # beside it
}}
"""

ROLES = (
    (r"\S*nginx -t .*", "nginx -t"),
    (r"\S*haproxy -c .*", "haproxy -c"),
    (r"\S*haproxy -sf .*", "haproxy -sf"),
    (r"state/journal/app-.*", "app journal"),
    (r"state/journal/.+", "journal"),
    (r"state/history\.jsonl", "history"),
    (r"state/locks/.+", "lock"),
    (r"state/backups/.+\.new", "backup of the new"),
    (r"state/backups/.+", "backup"),
    (r"state/apps/.*\.log", "log"),
    (r"state/apps/.*\.json.*", "record"),
    (r"state/haproxy/[^.].*", "marks"),
    (r".*-test|state/staging/\..*", "copy"),
    (r".*\.proxyswitch-.*", "temp"),
    (r".*\.conf|.*\.cfg", "config"),
    (r"run/servers\.state", "state file"),
    (r"run", "folder of the state file"),
    (r"/memfd:.*", "memory"),
    (r"state|state/[\w/]+", "folder of the state"),
    (r"", "folder of the config"),
    (r"\S*start\.sh.*", "app"),
)


@dataclass(frozen=True)
class Point:
    """One effect of a run: its number, and what it is, in a word or two (`write journal`)."""

    number: int
    kind: str


@dataclass
class Place(Bench):
    """A bench with two pools in a file of a folder that is included by a glob, and three instances."""

    ports: dict[str, int] = field(default_factory=dict)

    @property
    def pools(self) -> Path:
        return self.folder / "conf.d" / "pools.conf"

    def build(self) -> None:
        self.pools.parent.mkdir()
        self.ports = {version: self.instance(version) for version in ("1", "2", "3")}
        text = POOLS + OTHER.replace("{other}", str(self.ports["3"]))
        self.write(self.ports["1"], conf=TWO_POOLS, pools=text)
        self.start()

    def address(self, version: str) -> str:
        return f"127.0.0.1:{self.ports[version]}"

    def in_file(self) -> str:
        """The version that the file sends traffic to."""
        return self._versions()[0]

    def other_in_file(self) -> str:
        """The same of the second pool."""
        return self._versions()[1]

    def _versions(self) -> list[str]:
        ports = re.findall(r"server 127\.0\.0\.1:(\d+);", self.pools.read_text())
        return [next(version for version, number in self.ports.items() if number == int(port)) for port in ports]


def strays(folder: Path) -> list[str]:
    """Temporary files of ours that nobody needs any more."""
    return [str(path) for path in folder.rglob(".*.proxyswitch-*")]


def journals(bench: Bench) -> list[str]:
    return [path.name for path in (bench.state / "journal").glob("*")]


def history(bench: Bench) -> list[Entry]:
    """The entries of the history, every id once."""
    entries = History(bench.state / "history.jsonl").entries()
    ids = [entry.id for entry in entries]
    assert len(ids) == len(set(ids)), f"an id is there twice: {ids}"
    return entries


def strike(bench: Bench, number: int, mode: str, *words: str, trace: str = "") -> Run:
    """Run `proxyswitch` in the killer's hands."""
    argv = [sys.executable, "-m", "tests.chaos.killer", str(number), mode, "--", *bench.argv(*words)[3:]]
    done = subprocess.run(
        argv,
        env=bench.environment({"CHAOS_TRACE": trace, "PYTHONPATH": os.environ.get("CHAOS_PYTHONPATH", str(REPO))}),
        cwd=bench.folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


_surveys = count()


def survey(bench: Bench, *words: str, code: int = 0) -> list[Point]:
    """Do the command and count: every point of it, in order."""
    trace = bench.folder / f"trace-{next(_surveys)}"
    result = strike(bench, 0, "before", *words, trace=str(trace))
    assert result.code == code, result
    lines = [line.split("\t") for line in trace.read_text().splitlines()]
    return [Point(number, f"{call} {_role(bench.folder, target)}") for number, (call, target) in enumerate(lines, 1)]


def _role(folder: Path, target: str) -> str:
    name = target.removeprefix(str(folder)).removeprefix("/") if target.startswith(str(folder)) else target
    return next((role for pattern, role in ROLES if re.fullmatch(pattern, name)), name)


def one_of_each(points: Iterable[Point]) -> list[Point]:
    """The first point of each kind, and each write of a journal or the history."""
    known: set[str] = set()
    chosen = []
    for point in points:
        if point.kind not in known or point.kind in ("write journal", "write app journal", "write history"):
            chosen.append(point)
        known.add(point.kind)
    return chosen


# many at once

P = TypeVar("P")
J = TypeVar("J")


def everywhere(jobs: Iterable[J], make: Callable[[int], Any], check: Callable[[Any, J], None], hands: int = 3) -> None:
    """Do all jobs, several at a time, each hand with a place of its own from `make`; fails with what went wrong where."""
    waiting: queue.SimpleQueue[J] = queue.SimpleQueue()
    total = 0
    for total, job in enumerate(jobs, 1):  # noqa: B007
        waiting.put(job)
    assert total, "nothing to do"
    problems: list[str] = []
    done: list[J] = []
    threads = [
        threading.Thread(target=_work, args=(waiting, make, number, check, problems, done), daemon=True)
        for number in range(min(hands, total))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, f"{len(problems)} failed, {len(done)} of {total} are right:\n" + "\n".join(problems)
    assert len(done) == total


def _work(
    waiting: queue.SimpleQueue[J],
    make: Callable[[int], Any],
    number: int,
    check: Callable[[Any, J], None],
    problems: list[str],
    done: list[J],
) -> None:
    for attempt in range(PATIENCE):
        job: J | None = None
        try:
            with make(number + 100 * attempt) as place:  # a new one after each failure
                while (job := _next(waiting)) is not None:
                    check(place, job)
                    done.append(job)
                return
        except BaseException as error:  # noqa: BLE001  # the thread that waits for us tells it
            where = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[1:]]
            problems.append(f"{job}: {' '.join(where)}: {type(error).__name__}: {error}")


def _next(waiting: queue.SimpleQueue[J]) -> J | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """A place that is cleared away afterwards."""
    folder.mkdir()
    made = Place(folder)
    try:
        made.build()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
