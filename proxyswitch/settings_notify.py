"""The tables of `proxyswitch.toml` about who is told of a release, and where its figures go."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, field

from proxyswitch.settings_base import Command, Local, Seconds, Section, local, seconds, suggest

LIMIT = 5.0
FORMATS = ("json", "text")
WAYS = ("url", "url_file", "apprise", "apprise_file", "command")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Kind(StrEnum):
    """What can be told of a release."""

    STARTED = "started"
    SWITCHED = "switched"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    DRAIN_OVERDUE = "drain_overdue"


KINDS = tuple(map(str, Kind))
# What a person has to look at.
USUAL = (str(Kind.FAILED), str(Kind.ROLLED_BACK), str(Kind.DRAIN_OVERDUE))
_Event = Annotated[str, Meta(extra_json_schema={"enum": list(KINDS)})]
_Format = Annotated[str, Meta(extra_json_schema={"enum": list(FORMATS)})]


class Notify(Section, frozen=True):
    """One who is told of releases. `url`, `apprise` and `headers` may name variables of the environment, as `${NAME}`."""

    events: list[_Event] = field(default_factory=lambda: list(USUAL))
    apps: list[str] = field(default_factory=list)
    url: str = ""
    url_file: Local = local()
    apprise: str = ""
    apprise_file: Local = local()
    command: Command = ""
    format: _Format = "json"
    headers: dict[str, str] = field(default_factory=dict)
    timeout: Seconds = seconds(LIMIT)

    @property
    def way(self) -> str:
        """How it is told: by a url, apprise or a command."""
        return next((way.removesuffix("_file") for way in WAYS if getattr(self, way)), "")

    def wants(self, kind: str, app: str) -> bool:
        """True when it is to be told of such an event of that app."""
        return kind in self.events and (not self.apps or app in self.apps)


class Metrics(Section, frozen=True):
    """Figures of the releases, for Prometheus."""

    textfile: Local = local()


def faults(entry: Notify, apps: Collection[str]) -> Iterator[str]:
    """What is wrong with an entry that types cannot say, as `key: what`. Values are never shown: they may be secrets."""
    yield from _way_faults(entry)
    yield from _event_faults(entry)
    for name in entry.apps:
        if name not in apps:
            yield f"apps: no app {name!r}{suggest(name, list(apps))}"
    if entry.format not in FORMATS:
        yield f"format: {entry.format!r} is not known; there is {' and '.join(FORMATS)}"
    if not 0 < entry.timeout <= LIMIT:
        yield f"timeout: more than 0 and at most {LIMIT:.0f} s: nobody is waited for any longer"


def _way_faults(entry: Notify) -> Iterator[str]:
    named = [way for way in WAYS if getattr(entry, way)]
    if len(named) != 1:
        key = named[1] if named else "url"
        yield f"{key}: exactly one of {', '.join(WAYS)} is needed"
    if entry.url and not entry.url.startswith(("http://", "https://", "${")):
        yield "url: must begin with http:// or https://"
    if entry.way != "url":
        yield from (f"{key}: only with url" for key in ("headers", "format") if _is_set(entry, key))
    values = {"url": entry.url, "apprise": entry.apprise, **{f"headers.{k}": v for k, v in entry.headers.items()}}
    for key, value in values.items():
        if "${" in VARIABLE.sub("", value):
            yield f"{key}: a variable of the environment is written ${{NAME}}"


def _is_set(entry: Notify, key: str) -> bool:
    return bool(getattr(entry, key) != ("json" if key == "format" else {}))


def _event_faults(entry: Notify) -> Iterator[str]:
    if not entry.events:
        yield f"events: at least one of {', '.join(KINDS)}"
    for name in entry.events:
        if name not in KINDS:
            yield f"events: {name!r} is not known{suggest(name, list(KINDS)) or '; there is ' + ', '.join(KINDS)}"


def metrics_faults(metrics: Metrics) -> Iterator[str]:
    """The same for the table of metrics."""
    if metrics.textfile and not metrics.textfile.endswith(".prom"):
        yield "textfile: must end in .prom: node_exporter passes over other files"
