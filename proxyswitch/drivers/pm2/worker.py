"""What `pm2 jlist` says of a process. Of its environment, which is in there too, only version and address are looked at."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from proxyswitch.drivers._logs import tail, telling
from proxyswitch.model import ProcessId
from proxyswitch.system import files, proc, run

CLUSTER = "cluster_mode"
UP = ("online", "launching")
IDLE = ("stopped", "errored")
WORDS, READ = 5, 100
LISTEN, KILL = 3.0, 1.6  # what PM2 waits for where nothing is said, in seconds


class Details(msgspec.Struct, frozen=True):
    """Those of its `pm2_env` that count here."""

    status: str = ""
    restart_time: int = 0
    exec_mode: str = ""
    exit_code: object = None
    pm_exec_path: str = ""
    pm_cwd: str = ""
    pm_out_log_path: str | None = ""
    pm_err_log_path: str | None = ""
    wait_ready: object = None
    kill_timeout: object = None
    listen_timeout: object = None
    APP_VERSION: object = ""
    HOST: object = None
    PORT: object = None
    SOCKET: object = None


class Worker(msgspec.Struct, frozen=True):
    """One process of an app; `pid` is 0 where it does not run."""

    name: str
    pm_id: int
    pm2_env: Details
    pid: int | None = 0

    @property
    def process(self) -> ProcessId | None:
        return proc.identify(self.pid) if self.pid else None

    @property
    def up(self) -> bool:
        return self.pm2_env.status in UP and self.process is not None

    @property
    def launching(self) -> bool:
        return self.pm2_env.status == "launching"

    @property
    def idle(self) -> bool:
        """True where it does not run, and will not by itself."""
        return self.pm2_env.status in IDLE and self.process is None

    def version(self, folder: str) -> str:
        """Which version it runs: by the folder where it is, which is one of `folder` (with a NUL for the version); else as
        PM2 was told when this very process was started."""
        found = _within(folder, proc.link(self.pid or 0, "cwd")) if folder else ""
        return found or str(self.pm2_env.APP_VERSION or "")

    @property
    def places(self) -> dict[str, str]:
        """Where it was told to listen. Workers that share a socket must be told the same, or they cannot have it."""
        env = self.pm2_env
        told = {"HOST": env.HOST, "PORT": env.PORT, "SOCKET": env.SOCKET}
        return {key: str(value) for key, value in told.items() if value not in (None, "")}

    def fate(self) -> str:
        """How it is, in words."""
        env = self.pm2_env
        words = [f"process {self.pid} is {env.status}" if self.pid else env.status]
        if isinstance(env.exit_code, int) and not self.launching:
            words.append(f"the last one {run.ending(env.exit_code)}")
        if env.restart_time:
            words.append(f"started again {env.restart_time} time{'s' * (env.restart_time > 1)}")
        return ", ".join(words)

    @property
    def logs(self) -> list[str]:
        return [path for path in (self.pm2_env.pm_out_log_path, self.pm2_env.pm_err_log_path) if path]

    @property
    def listen_timeout(self) -> float:
        return milliseconds(self.pm2_env.listen_timeout, LISTEN)

    @property
    def kill_timeout(self) -> float:
        return milliseconds(self.pm2_env.kill_timeout, KILL)


def _within(folder: str, cwd: str) -> str:
    before, _, after = folder.partition("\0")
    parent, base = os.path.split(before)
    pattern = f"{re.escape(os.path.join(os.path.realpath(parent), base))}([^/]+){re.escape(after)}(?:/.*)?"
    found = re.fullmatch(pattern, cwd)
    return found[1] if found else ""


def milliseconds(value: object, default: float) -> float:
    """Seconds, of what PM2 takes for milliseconds: a number, or text with one."""
    try:
        return float(str(value)) / 1000 if value else default
    except ValueError:
        return default


def read(text: str) -> list[Worker] | None:
    """What `pm2 jlist` printed; the list is its last line, others can stand before it. None where there is none."""
    try:
        return msgspec.json.decode(text.strip().rpartition("\n")[2], type=list[Worker])
    except (msgspec.MsgspecError, ValueError):
        return None


def last_lines(workers: Iterable[Worker], lines: int) -> list[str]:
    """The last lines of their logs; what was written last is at the end."""
    paths = {path for worker in workers for path in worker.logs}
    there = sorted((path for path in paths if os.path.isfile(path)), key=files.modified)
    return [line for path in there for line in tail(Path(path), lines)][-lines:] if lines > 0 else []


def last_words(workers: Iterable[Worker]) -> list[str]:
    """The last of them that say something."""
    return telling(last_lines(workers, READ))[-WORDS:]
