"""The figures of all releases, from the history: computed anew each time, so that none is lost or counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from proxyswitch import metrics
from proxyswitch.errors import Interrupted, ProxyswitchError
from proxyswitch.metrics import Figures
from proxyswitch.release.history import RELEASE, ROLLBACK, Entry, History
from proxyswitch.settings import Metrics
from proxyswitch.system import locks, state

LOCK_TIMEOUT = 2.0


def of(entries: Iterable[Entry]) -> list[Figures]:
    """The figures of each app, by name. A rollback is a release too; the switch of a pool is none."""
    apps: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.app and entry.version and entry.kind in (RELEASE, ROLLBACK):
            apps.setdefault(entry.app, []).append(entry)
    return [_of_app(name, apps[name]) for name in sorted(apps)]


def _of_app(name: str, releases: list[Entry]) -> Figures:
    done = [entry for entry in releases if entry.result == "done"]
    return Figures(
        app=name,
        done=len(done),
        failed=len(releases) - len(done),
        last_success=done[-1].at + done[-1].seconds if done else 0.0,
        last_seconds=releases[-1].seconds,
        drain=done[-1].drain if done else 0.0,
        slots=_slots(done[-1]) if done else (),
    )


def _slots(last: Entry) -> tuple[tuple[str, str, bool], ...]:
    """Where the traffic is, and where it was before, if that is another slot."""
    now, before = (last.slot, last.version, True), (last.old_slot, last.old_version, False)
    return (now, before) if last.old_slot and last.old_slot != last.slot else (now,)


def publish(where: Metrics, past: History, report: Callable[[str], None]) -> None:
    """Write the file, if one is wanted. Whatever keeps it from being written is reported, and fails nothing.

    Under a lock: of two releases that end together, the later one has the last word. Raises nothing but Interrupted.
    """
    if not where.textfile:
        return
    try:
        with locks.hold(state.sub("locks") / "metrics.lock", "the file of metrics", LOCK_TIMEOUT):
            metrics.write(where.textfile, of(past.entries()))
    except Interrupted:
        raise
    except ProxyswitchError as error:
        report(f"warning: metrics: {error.what}{f' ({error.next_step})' if error.next_step else ''}")
    except Exception as error:  # noqa: BLE001  # whatever it is, the release is done
        report(f"warning: metrics: {where.textfile} could not be written: {type(error).__name__}: {error}")
