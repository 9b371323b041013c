"""Send an event to all who asked for it: at the same time, each in a process of its own that is ended at its limit.

So neither a name server, a TLS handshake nor a library can hold a release. What a process writes is not shown, but for the
one line of our own child.py: an answer, a log or an exception can contain a key.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from proxyswitch import durations
from proxyswitch.errors import Interrupted, SettingsError, UsageError
from proxyswitch.notify import event as events
from proxyswitch.notify import secret
from proxyswitch.notify.event import Event
from proxyswitch.settings_notify import Kind, Notify
from proxyswitch.system.run import Command, Result
from proxyswitch.system.together import run_all

CHILD = str(Path(__file__).with_name("child.py"))
# Those for whom apprise has a colour or sign; all others are for information.
TYPES = {
    Kind.DONE: "success",
    Kind.FAILED: "failure",
    Kind.ROLLED_BACK: "warning",
    Kind.DRAIN_OVERDUE: "warning",
}


def tell(notifiers: Sequence[Notify], event: Event, report: Callable[[str], None], *, folder: str | None = None) -> None:
    """Tell all who asked for such an event, within the longest of their limits; `report` gets a line for each that failed.

    `folder` is where commands run: that of the settings file. Raises nothing but Interrupted, when a signal arrives.
    """
    try:
        asked = [(number, entry) for number, entry in enumerate(notifiers, 1) if entry.wants(event.kind, event.app)]
        for (number, entry), fault in zip(asked, _send(asked, event, folder), strict=True):
            if fault:
                report(f"warning: notify {number} ({secret.label(entry)}): {fault}")
    except Interrupted:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the release goes on
        report(f"warning: it could not be told that {events.words(event)}: {type(error).__name__}")


def _send(asked: list[tuple[int, Notify]], event: Event, folder: str | None) -> list[str]:
    """What went wrong with each; an empty text where nothing did."""
    made = [_command(entry, event, folder) for _, entry in asked]
    ended = iter(run_all([one for one in made if isinstance(one, Command)]))
    pairs = zip(asked, made, strict=True)
    return [_fault(entry, next(ended)) if isinstance(one, Command) else one for (_, entry), one in pairs]


def _command(entry: Notify, event: Event, folder: str | None) -> Command | str:
    """What is to be run; why it cannot be, where something is missing. Keys go by standard input: everybody sees a word."""
    limit, facts = float(entry.timeout), json.dumps(events.facts(event)).encode()
    if entry.way == "command":
        argv = ("/bin/sh", "-c", entry.command) if isinstance(entry.command, str) else tuple(entry.command)
        return Command(argv, limit, folder, events.environment(event), facts, quiet=True)
    try:
        spec = _post(entry, event, facts) if entry.way == "url" else _apprise(entry, event)
    except SettingsError as error:
        return error.what
    return Command((sys.executable, "-P", CHILD), limit, input=json.dumps(spec | {"timeout": limit}).encode())


def _post(entry: Notify, event: Event, facts: bytes) -> dict[str, object]:
    text = entry.format == "text"
    return {
        "way": "post",
        "url": secret.address(entry),
        "headers": {
            "Content-Type": "text/plain; charset=utf-8" if text else "application/json",
            "User-Agent": "proxyswitch",
            **{name.title(): secret.fill(value) for name, value in entry.headers.items()},
        },
        "body": events.words(event) if text else facts.decode(),
    }


def _apprise(entry: Notify, event: Event) -> dict[str, object]:
    return {
        "way": "apprise",
        "url": secret.address(entry),
        "title": events.title(event),
        "body": events.words(event),
        "type": TYPES.get(Kind(event.kind), "info"),
    }


def _fault(entry: Notify, result: Result | UsageError) -> str:
    """Why nobody was told, in words that hold no secret."""
    if isinstance(result, UsageError):
        return f"it cannot be run: {getattr(result.__cause__, 'strerror', None) or 'its words cannot be used'}"
    if result.timed_out:
        return f"it did not end within {durations.show(float(entry.timeout))}, and was ended"
    if result.ok:
        return ""
    ours = entry.way != "command" and result.code == 3
    return result.out.rpartition("\n")[2] if ours else result.reason()
