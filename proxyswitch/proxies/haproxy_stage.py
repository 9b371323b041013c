"""Test a candidate with HAProxy itself, before any live file is touched.

Relative names in a config can count from the folder of its file (`default-path config`). So each changed file gets a twin
in that same folder, as a dotfile, which a folder given with `-f` passes over. All files are given to `haproxy -c` in their
order, the twins in the place of the changed ones. HAProxy's messages name the twins: they are given back with the person's
own names; the lines are the same.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from proxyswitch.model import Problem
from proxyswitch.proxies import staging
from proxyswitch.proxies.base import Rejected
from proxyswitch.proxies.haproxy_arguments import Arguments
from proxyswitch.system import files
from proxyswitch.system.run import Command, Result, run

TIMEOUT = 120.0  # seconds: names of servers are resolved, one after the other
STEP = "mend it, then run it again; haproxy -c shows the same"


class Message(NamedTuple):
    """One line that HAProxy wrote: `level` is ALERT or WARNING; path and line are empty where it names none."""

    level: str
    text: str
    path: str = ""
    line: int = 0

    @property
    def kind(self) -> tuple[str, str, str]:
        """The message without its lines, which an edit above it moves."""
        return self.level, self.path, re.sub(r"\bline \d+|(?<=:)\d+\b", "", self.text)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else self.text


class Stage:
    """The twins of one candidate: written, tested, removed.

    `paths` are the config files by the names that HAProxy was given, folders expanded, in their order.
    """

    def __init__(self, paths: Sequence[str], binary: str, arguments: Arguments, environment: Mapping[str, str]) -> None:
        self.paths = tuple(paths)
        self.binary = binary
        self.arguments = arguments
        self.environment = environment
        self.names: dict[str, str] = {}

    def command(self, paths: Sequence[str]) -> Command:
        """`haproxy -c` on these files, as the running process would read them."""
        argv = [self.binary, "-c", *self.arguments.rest]
        for path in paths:
            argv += ["-f", path]
        folder = self.arguments.folder
        return Command(tuple(argv), TIMEOUT, folder if os.path.isdir(folder) else None, self.environment)

    def test(self, changed: Mapping[str, bytes], meanwhile: Callable[[], None] = lambda: None) -> Result:
        """Run HAProxy on the candidate; `changed` holds the coming bytes of files by their real path.

        `meanwhile` runs while HAProxy works. The twins are gone afterwards. Raises UsageError or Failed when they cannot
        be written.
        """
        twins = {path: files.temp_name(path, "test") for path in self.paths if os.path.realpath(path) in changed}
        self.names = {twin: path for path, twin in twins.items()}
        try:
            for path, twin in twins.items():
                staging.write(twin, changed[os.path.realpath(path)], "HAProxy")
            return staging.run(self.command([twins.get(path, path) for path in self.paths]), meanwhile)
        finally:
            for twin in twins.values():
                files.remove(twin)

    def as_it_is(self) -> Result:
        """Run HAProxy on the files as they are on disk."""
        return run(self.command(self.paths))

    def own_names(self, text: str) -> str:
        """HAProxy's messages with the person's files instead of their twins."""
        return staging.own_names(text, self.names)


# 2.3 and later: `[ALERT]    (123) : config : …`; earlier: `[ALERT] 327/222156 (123) : …`
_LINE = re.compile(r"\[(ALERT|WARNING)\] +(?:\d+/\d+ )?\(\d+\) : (?:config : )?(.*)")
_PLACE = re.compile(r"(?:[Pp]arsing )?\[([^][]+):(\d+)\] ?[:;] ?(.*)")
# what a state file makes of the servers is no fault of the config: the file is written anew when the change is made
_OF_STATES = re.compile(r"(?:Backup )?[Ss]erver \S+/\S+ (?:is|was|remains|enters|leaves) ")
_EPILOGUE = ("Error(s) found in configuration file", "Fatal errors found in configuration")


def messages(text: str) -> Iterator[Message]:
    """The alerts and warnings in what HAProxy wrote to its standard error."""
    for found in map(_LINE.match, text.splitlines()):
        if found and not found[2].startswith(_EPILOGUE) and not _OF_STATES.match(found[2]):
            place = _PLACE.match(found[2])
            yield Message(found[1], place[3], place[1], int(place[2])) if place else Message(found[1], found[2])


def judge(result: Result, stage: Stage) -> list[Problem]:
    """Accept HAProxy's verdict on the candidate, or raise Rejected with its alerts at the person's own file and line.

    Some alerts do not change the exit status: one that the config on disk did not have already counts as a refusal. New
    warnings are returned, and old alerts of that kind.
    """
    said = list(messages(stage.own_names(result.err)))
    if not result.ok:
        raise rejected([m for m in said if m.level == "ALERT"], result, stage.names)
    if not said:
        return []
    known = Counter(m.kind for m in messages(stage.as_it_is().err))
    new = [m for m in said if not _take(known, m)]
    alerts = [m for m in new if m.level == "ALERT"]
    if alerts:
        raise rejected(alerts, result, stage.names)
    problems = [Problem(f"HAProxy warns about the new config: {m}") for m in new]
    old = [m for m in said if m.level == "ALERT"]
    return problems + [Problem(f"HAProxy complains about the config as it is: {m}", "mend that line") for m in old]


def _take(known: Counter[tuple[str, str, str]], message: Message) -> bool:
    """True when the config had this message already: each known one counts once."""
    known[message.kind] -= 1
    return known[message.kind] >= 0


def rejected(alerts: list[Message], result: Result, names: Mapping[str, str]) -> Rejected:
    """The error, with the first alert's place; `names` gives a twin's file."""
    if not alerts:
        said = [*staging.own_names(result.err, names).splitlines(), *result.out.splitlines()]
        return Rejected(f"HAProxy refuses the config: {said[-1] if said else result.reason()}", next_step=STEP)
    first, more = alerts[0], alerts[1:]
    text = first.text + "".join(f"; {m}" for m in more[:3]) + (f"; and {len(more) - 3} more" if len(more) > 3 else "")
    what = f"HAProxy refuses the config: {text}"
    return Rejected(what, path=first.path, line=first.line, column=1 if first.line else 0, next_step=STEP)
