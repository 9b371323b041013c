"""A reload of nginx: whom it must replace, proof that it took effect, and who is still working off old requests.

`nginx -s reload` ends with status 0 whatever the master makes of it, and a worker that dies is started again with a new
pid. So a reload counts as taken when every worker that was there before is gone or shutting down AND a new one runs,
and when old and new were seen side by side or an old one shutting down: that is what a crash does not look like.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from proxyswitch import durations, polling
from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId
from proxyswitch.proxies.base import Left, NotTaken
from proxyswitch.system import clock, files, proc, signals

WORKER = "nginx: worker process"
OLD_WORKER = "nginx: worker process is shutting down"
EPILOGUE = GIVEN_UP = "still could not bind()"  # the log says before it which address, and why
# Once the master has logged a refusal it may still be about to take the reload: [emerg] can also mean a detail.
REFUSED_GRACE = 1.0
UNREAD = "; its log could not be read"


class Workers(NamedTuple):
    """The workers of a master: those that accept connections, and those that only finish what they have."""

    active: frozenset[ProcessId]
    old: frozenset[ProcessId]


class Generation(NamedTuple):
    """What served when it was captured, and how long its error log was (bytes)."""

    master: ProcessId
    active: frozenset[ProcessId]
    old: frozenset[ProcessId]
    log: str = ""
    log_size: int = 0


def workers(master: ProcessId) -> Workers:
    """The workers as they are now."""
    active: set[ProcessId] = set()
    old: set[ProcessId] = set()
    for pid in proc.children(master.pid):
        title, process = proc.title(pid), proc.identify(pid)
        if process and title.startswith(WORKER):
            (old if title.startswith(OLD_WORKER) else active).add(process)
    return Workers(frozenset(active), frozenset(old))


def capture(master: ProcessId, log: str) -> Generation:
    """The generation that serves now."""
    now = workers(master)
    size = os.stat(log).st_size if log and os.path.isfile(log) else 0
    return Generation(master, now.active, now.old, log, size)


def reload(master: ProcessId) -> None:
    """Tell that very master to read its config again. Raises UsageError without permission, NotTaken when it is gone."""
    if not signals.send(master, signals.HUP):
        raise NotTaken(f"the nginx master {master.pid} is gone: it ended before it could be told to reload")


def prove(before: Generation, timeout: float, again: Callable[[ProcessId], None] = reload) -> None:
    """Wait until the reload has taken effect. Raises NotTaken, with what nginx logged about it.

    `timeout` in seconds: the master retries a port that is in use for 2.5 s, so less than 3 s would be too early. `again`
    tells the master once more, where what was seen is no proof.
    """
    verdict = _watch(before, timeout)
    if verdict == "unclear":  # all old ones vanished at once: a crash looks like that too, so do it once more
        between = capture(before.master, before.log)
        again(before.master)
        verdict = _watch(between, timeout)
    if verdict != "taken":
        raise not_taken(before, timeout)


def _watch(before: Generation, timeout: float) -> str | None:
    together = False
    refused = 0.0

    def look() -> str | None:
        nonlocal together, refused
        if not proc.alive(before.master):
            return "gone"
        refused = refused or (clock.now() if _refused(before) else 0.0)
        if refused and clock.now() - refused > REFUSED_GRACE:
            return "refused"
        now = workers(before.master)
        new = now.active - before.active
        together = together or not before.active or bool(before.active & now.old) or bool(new and before.active & now.active)
        if not new or before.active & now.active:
            return None
        return "taken" if together else "unclear"

    return polling.until(look, timeout, first=0.004, longest=0.008)


def _refused(before: Generation) -> bool:
    """True when the master has logged why it keeps its old config. A port in use it tries again, until it gives up."""
    lines = _emergency_lines(before, "[emerg]")
    return any(GIVEN_UP in line or " bind() to " not in line for line in lines)


def untouched(before: Generation) -> bool:
    """True when the config that these workers had is what runs still.

    A reload tells all of them to end, and runs as many new ones beside them first. One that died by itself is started
    again with the config that the others have.
    """
    now = workers(before.master)
    return bool(now.active & before.active) and len(now.active) <= len(before.active)


def not_taken(before: Generation, timeout: float) -> NotTaken:
    """The error, with the reason that nginx wrote to its log where there is one."""
    if not proc.alive(before.master):
        return NotTaken(f"the nginx master {before.master.pid} ended during the reload{_logged(before)}")
    step = "mend what it says, then run it again; nginx -t does not show everything"
    if _refused(before):
        return NotTaken(f"nginx did not take the reload{_logged(before)}", next_step=step)
    return NotTaken(f"nginx did not take the reload within {durations.show(timeout)}{_logged(before)}", next_step=step)


def _logged(before: Generation) -> str:
    reasons = emergencies(before)
    if reasons:
        return ": " + reasons[-1]
    return f"; its log says nothing about it ({before.log})" if before.log else UNREAD


def emergencies(before: Generation) -> list[str]:
    """What the master has logged since as [alert] (a worker died), then as [emerg] (a config refused); no date, no pid."""
    lines = [line for level in ("[alert]", "[emerg]") for line in _emergency_lines(before, level)]
    lines = [line for line in lines if not line.endswith(EPILOGUE)]
    return [line.partition("#")[2].partition(": ")[2] or line for line in lines]


def _emergency_lines(before: Generation, level: str) -> list[str]:
    """What that very master has logged since at that level. Nothing is read while the log has not grown."""
    try:
        if not before.log or os.stat(before.log).st_size <= before.log_size:
            return []
        text = files.read_from(before.log, before.log_size).decode("utf-8", "replace")
    except OSError:
        return []
    number = proc.inner_pid(before.master.pid) or before.master.pid
    return [line for line in text.splitlines() if f"{level} {number}#" in line]


def draining(processes: list[ProcessId]) -> Left | None:
    """Which of these workers still live, and how old the oldest is."""
    living = [p for p in processes if proc.alive(p)]
    if not living:
        return None
    oldest = max(proc.age(p) for p in living)
    pids = ", ".join(str(p.pid) for p in living[:5]) + (", …" if len(living) > 5 else "")
    noun = "worker" if len(living) == 1 else "workers"
    return Left(len(living), f"{len(living)} old nginx {noun} (pid {pids}; the oldest started {durations.show(oldest)} ago)")


def check_generations(now: Workers, limit: int) -> None:
    """Refuse a further reload while too many old workers still hold connections. Raises UsageError."""
    if len(now.old) >= limit:
        raise UsageError(
            f"{len(now.old)} old nginx workers are still shutting down; each reload adds more while a websocket or a long"
            " download stays open",
            next_step="wait for them, set worker_shutdown_timeout in nginx.conf, or raise nginx.max_old_workers",
        )


def still(token: Any) -> bool:
    """True when what was captured runs untouched."""
    before = from_data(token)
    return proc.alive(before.master) and untouched(before)


def as_data(generation: Generation) -> dict[str, Any]:
    """For a journal."""

    def pairs(processes: frozenset[ProcessId]) -> list[list[int]]:
        return [[p.pid, p.start] for p in processes]

    master = generation.master
    return {
        "master": [master.pid, master.start],
        "active": pairs(generation.active),
        "old": pairs(generation.old),
        "log": generation.log,
        "log_size": generation.log_size,
    }


def from_data(token: Any) -> Generation:
    """The reverse. Raises NotTaken for nothing."""
    if token is None:
        raise NotTaken("nginx does not run")
    active, old = (frozenset(ProcessId(*pair) for pair in token[key]) for key in ("active", "old"))
    return Generation(ProcessId(*token["master"]), active, old, token["log"], token["log_size"])
