"""A reload of HAProxy: whom it must replace, proof that it took effect, and who still works off old connections.

Whoever is asked for a reload (the master socket, systemd, a signal) says nothing, or that it was asked. When the new
config cannot be loaded, the master goes on with the worker it has, and counts one more failed reload. So a reload counts
as taken when no worker that served before is a current one any more, nor listens on a port, AND there is a new one AND,
where the admin socket is known, a new one answers there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from proxyswitch import durations, polling
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.proxies import haproxy_process, haproxy_trigger
from proxyswitch.proxies.base import NotTaken
from proxyswitch.proxies.haproxy_process import Instance, Workers
from proxyswitch.system import proc

if TYPE_CHECKING:
    from proxyswitch.proxies.haproxy_replies import Process, Processes

# How long a reload may take to be begun, or to be given up, before we look at who serves: HAProxy tries to bind a port
# that is in use for 2 s.
SETTLING = 5.0
# The second process had put its own socket in that place before it found that it cannot take over.
LOST = "{} answers no more until HAProxy is restarted"


class State(NamedTuple):
    """What serves when it is captured.

    `failed` counts the reloads that failed since the last good one; -1 where nobody tells. `admin` is the socket of the
    workers, `socket` that of the master; empty where there is none.
    """

    process: ProcessId
    master: bool
    current: tuple[ProcessId, ...]
    old: tuple[ProcessId, ...]
    failed: int
    files: tuple[str, ...]
    admin: str = ""
    socket: str = ""


class View(NamedTuple):
    """Who serves now, and how many reloads have failed since the last good one (-1: nobody tells)."""

    workers: Workers
    failed: int


def as_data(state: State) -> dict[str, Any]:
    """The same as lists, numbers and texts, for a journal."""
    return {k: [list(p) for p in v] if k in ("current", "old") else v for k, v in state._asdict().items()}


def from_data(data: Mapping[str, Any]) -> State:
    """The reverse of `as_data`, after a journey through JSON too."""
    current, old = (tuple(ProcessId(*pair) for pair in data[key]) for key in ("current", "old"))
    more = {"process": ProcessId(*data["process"]), "current": current, "old": old, "files": tuple(data["files"])}
    return State(**{**data, **more})


def capture(instance: Instance, admin: Endpoint | None) -> State:
    """What serves now. `admin` is the stats socket of the workers: with it the proof is a better one."""
    polling.until(lambda: None if _loading(instance.process, instance.master) else True, SETTLING, first=0.002, longest=0.05)
    socket = instance.arguments.master_endpoint if instance.master else None
    seen = _by_socket(socket, instance.process)
    view = seen or _by_processes(instance.process, instance.master, instance.arguments.files)
    return State(
        instance.process,
        instance.master,
        view.workers.current,
        view.workers.old,
        view.failed,
        instance.arguments.files,
        str(admin or ""),
        str(socket if seen else ""),
    )


# who serves


def look(state: State) -> View | None:
    """Who serves now; None while the master does not answer, as in the midst of a reload."""
    if state.socket:
        return _by_socket(Endpoint.parse(state.socket), state.process)
    return _by_processes(state.process, state.master, state.files)


def _by_socket(socket: Endpoint | None, master: ProcessId) -> View | None:
    """What that very master says: another instance may have taken over its socket's name."""
    if socket is None:
        return None
    from proxyswitch.proxies.haproxy_socket import Master

    try:
        told = Master(socket).processes()
    except (Failed, UsageError):  # not a signal to us, which must get through
        return None
    if told.master.pid != master.pid:
        return None
    current, old = ([proc.identify(w.pid) for w in rows] for rows in sorted_workers(told))
    return View(Workers(tuple(p for p in current if p), tuple(p for p in old if p)), told.master.failed)


def sorted_workers(told: Processes) -> tuple[tuple[Process, ...], tuple[Process, ...]]:
    """Those that serve, and those that finish. From 3.1 on, after a reload that failed, the worker that goes on is listed
    as an old one: it is the one that has lived through the fewest reloads."""
    if told.workers or not told.master.failed:
        return told.workers, told.old
    fewest = min((w.reloads for w in told.old), default=0)
    return tuple(w for w in told.old if w.reloads == fewest), tuple(w for w in told.old if w.reloads != fewest)


def _by_processes(process: ProcessId, master: bool, names: tuple[str, ...]) -> View:
    told = haproxy_process.reloads(process) if master else None
    return View(haproxy_process.workers_of(process, master, names), told.failed if told else -1)


def _answering(admin: str) -> int:
    """The pid of the worker that answers on the admin socket; 0 while none does."""
    from proxyswitch.proxies.haproxy_socket import Runtime

    try:
        return int(Runtime(Endpoint.parse(admin)).info()["Pid"])
    except (Failed, UsageError, KeyError, ValueError):
        return 0


# proof


def reload(instance: Instance, state: State) -> None:
    """Have the config loaded anew, by whatever runs this HAProxy. Proves nothing: see `prove`.

    Raises UsageError when it may not or cannot be done, NotTaken when HAProxy says that it has failed.
    """
    accepted = not state.master and haproxy_process.accepts(state.process)
    try:
        haproxy_trigger.reload(instance, state.socket)
    except NotTaken as error:
        if not state.master and proc.alive(state.process):
            error.state = _lost(state, bool(accepted)) or error.state
        raise


def _lost(state: State, accepted: bool) -> str:
    """What the old process has lost when a second one could not take over; empty when it serves as before.

    The second one has told it to pause, and at last to go on: it takes a moment until it listens again.
    """
    if accepted and not polling.until(lambda: haproxy_process.accepts(state.process) or None, SETTLING, longest=0.05):
        return f"the old process (pid {state.process.pid}) runs, but takes no connections"
    if state.admin and not _answering(state.admin):
        return f"the old process serves on, but {LOST.format(state.admin)}"
    return ""


def prove(state: State, timeout: float) -> None:
    """Wait until the reload has taken effect. Raises NotTaken, with what is known of the reason.

    `timeout` in seconds: HAProxy tries to bind a port that is in use for 2 s, so less than 3 s would be too early.
    """
    verdict = polling.until(lambda: _verdict(state), timeout, first=0.005, longest=0.05)
    if verdict != "taken":
        raise not_taken(state, verdict, timeout)


def _verdict(state: State) -> str | None:
    if state.master and not proc.alive(state.process):
        return "gone"
    view = look(state)
    if view is None:
        return None
    if state.failed >= 0 and view.failed > state.failed:
        return "refused"
    now = view.workers.current
    if not now or set(now) & set(state.current):
        return None if now or state.master else "gone"
    if state.admin and _answering(state.admin) not in {p.pid for p in now}:
        return None
    return None if any(proc.alive(p) and haproxy_process.accepts(p) for p in state.current) else "taken"


def not_taken(state: State, verdict: str | None, timeout: float) -> NotTaken:
    """The error, with what is known of the reason."""
    if verdict == "gone":
        return NotTaken(
            f"HAProxy (pid {state.process.pid}) ended during the reload",
            state="no HAProxy runs with this config",
            next_step="read its log, then start it",
        )
    if verdict == "refused":
        what = "HAProxy did not take the reload, and serves with the config that it had; it wrote the reason to its log only"
        return NotTaken(what, next_step=_where_to_look(state))
    view = look(state)
    if view and not set(view.workers.current) & set(state.current) and view.workers.current:
        return _half_taken(state, view.workers.current, timeout)
    return NotTaken(f"HAProxy did not take the reload within {durations.show(timeout)}", next_step=_where_to_look(state))


def _half_taken(state: State, new: tuple[ProcessId, ...], timeout: float) -> NotTaken:
    """A new worker is there, but the proof is not whole."""
    runs = f"a new HAProxy worker runs (pid {_pids(new)}), but"
    loaded, limit = "HAProxy has loaded the new config", durations.show(timeout)
    old = [p for p in state.current if proc.alive(p) and haproxy_process.accepts(p)]
    if old:
        what = f"{runs} the old one (pid {_pids(old)}) still took new connections after {limit}"
        return NotTaken(what, state=loaded, next_step="see whether the old config has `grace`, and allow for more time")
    what = f"{runs} it did not answer on {state.admin} within {limit}"
    return NotTaken(what, state=loaded, next_step="see whether the config still has that stats socket")


def _pids(processes: Iterable[ProcessId]) -> str:
    return ", ".join(str(p.pid) for p in processes)


def _where_to_look(state: State) -> str:
    unit = haproxy_process.unit_of(state.process)
    if unit:
        return f"look with: journalctl -u {unit} -n 30"
    error = proc.link(state.process.pid, "fd/2")
    return f"read what it wrote: {error}" if os.path.isfile(error) else "read what the master wrote to its standard error"


def untouched(state: State) -> bool:
    """True when just what was captured serves still: nothing was taken.

    A reload that is under way is waited for, since it can end either way.
    """
    if not proc.alive(state.process):
        return False
    view = polling.until(lambda: _settled(state), SETTLING, first=0.005, longest=0.05)
    view = view or _by_processes(state.process, state.master, state.files)
    return set(view.workers.current) == set(state.current)


def _settled(state: State) -> View | None:
    return None if _loading(state.process, state.master) else look(state)


def _loading(process: ProcessId, master: bool) -> bool:
    """True while a reload is under way, as far as that can be seen."""
    told = haproxy_process.reloads(process) if master else None
    return bool(told and told.loading and proc.alive(process))


def old_workers(state: State) -> list[ProcessId]:
    """Those of the captured processes that are no longer current, and still finish what they have."""
    view = look(state) or _by_processes(state.process, state.master, state.files)
    return [p for p in (*state.current, *state.old) if proc.alive(p) and p not in view.workers.current]
