"""What happened in a release: as one short line for people, as an object, as variables for a command."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field

from proxyswitch import durations
from proxyswitch.settings_notify import Kind
from proxyswitch.system import clock

LONGEST = 300  # characters of a reason in the line
LONGEST_VALUE = 4000  # characters of a variable: the kernel takes no more than 128 KiB


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened. `version` and `slot`: what is released; `old_version` and `old_slot`: what was live before.

    `failed`: nothing was switched, or a person must look. `rolled_back` with a `reason`: the new version had been live,
    failed, and was taken back; without one: a rollback that was asked for, to `version`. `drain_overdue`: what was before
    still answers. `release` is the id in the history, `seconds` how long it took, `at` seconds since 1970.
    """

    kind: str
    app: str
    version: str = ""
    slot: str = ""
    old_version: str = ""
    old_slot: str = ""
    pool: str = ""
    reason: str = ""
    seconds: float = 0.0
    release: str = ""
    host: str = field(default_factory=lambda: os.uname().nodename)
    at: float = field(default_factory=clock.wall)


def words(event: Event) -> str:
    """The event as one short line."""
    return _line(_sentence(event))


def title(event: Event) -> str:
    """A heading for it: of a mail, of a message on a phone."""
    return _line(f"{event.app}: {event.kind.replace('_', ' ')} ({event.host})")


def facts(event: Event) -> dict[str, object]:
    """The event as an object for JSON; `text` is what chats show."""
    told = {key: _plain(value) if isinstance(value, str) else value for key, value in asdict(event).items()}
    return {"text": words(event), "event": told.pop("kind"), **told}


def environment(event: Event) -> dict[str, str]:
    """The same for a command: PROXYSWITCH_EVENT, PROXYSWITCH_TEXT, PROXYSWITCH_APP …"""
    return {f"PROXYSWITCH_{key.upper()}": str(value)[:LONGEST_VALUE] for key, value in facts(event).items()}


def _sentence(event: Event) -> str:
    new, old = f"{event.app} {event.version}".strip(), _old(event)
    here = f" in {event.slot}" if event.slot else ""
    was, took, why = f" (was {old})" if old else "", _took(event), _why(event)
    if event.kind == Kind.STARTED:
        return f"{new}: the release begins{here}{f' ({old} is live)' if old else ''}"
    if event.kind == Kind.SWITCHED:
        return f"{new} has the traffic{here}{was}"
    if event.kind == Kind.DONE:
        return f"{new} is live{here}{was}{took}"
    if event.kind == Kind.ROLLED_BACK:
        return f"{new} failed and was taken back{why}" if event.reason else f"{new} is live again{here}{was}{took}"
    if event.kind == Kind.DRAIN_OVERDUE:
        return f"{new} is live{here}, but {old or 'the old side'} has not drained{why}"
    return f"{new} failed{why}"


def _old(event: Event) -> str:
    """What was live before, and where, if that was another slot."""
    apart = event.old_slot if event.old_slot != event.slot else ""
    return " in ".join(filter(None, (event.old_version, apart)))


def _took(event: Event) -> str:
    return f", {durations.show(event.seconds)}" if event.seconds else ""


def _why(event: Event) -> str:
    reason = _line(event.reason)
    short = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
    return f": {short}" if short else ""


def _line(text: str) -> str:
    """All in one line, without signs that steer a terminal or end a header."""
    return "".join(c for c in " ".join(_plain(text).split()) if c.isprintable())


def _plain(text: str) -> str:
    """Text that can be sent: in a file name or a log there may be bytes that are none, and a variable holds no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
