"""Test a candidate with nginx itself, before any live file is touched.

Relative names count from the folder of the file given with `-c`; so the main file's twin lies in that same folder, as a
dotfile that no include glob matches. The twins of other files lie in our own folder. nginx's messages name the twins: they
are given back with the person's own names; the lines are the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from proxyswitch.conf.nginx.chain import Config, candidates
from proxyswitch.model import Problem
from proxyswitch.proxies import staging
from proxyswitch.proxies.base import Rejected
from proxyswitch.proxies.nginx_master import Arguments
from proxyswitch.system import files
from proxyswitch.system.run import Command, Result

TIMEOUT = 120.0


def command(binary: str, conf: str, arguments: Arguments) -> Command:
    """`nginx -t` on that file, with the arguments of the running master."""
    return Command(words(binary, ("-t",), conf, arguments), timeout=TIMEOUT)


def words(binary: str, what: tuple[str, ...], conf: str, arguments: Arguments) -> tuple[str, ...]:
    """nginx asked for `what`, with the arguments of the running master."""
    argv = [binary, *what, "-c", conf]
    for option, value in (("-p", arguments.prefix), ("-g", arguments.globals), ("-e", arguments.error_log)):
        argv += [option, value] if value else []
    return tuple(argv)


class Stage:
    """The twins of one candidate: written, tested, removed."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self.names: dict[str, str] = {}

    def twin(self, real: str) -> str:
        """The name of a file's twin."""
        name = files.temp_name(self.config.main, "test")
        if real != self.config.root.real:
            name = files.temp_name(str(self.folder / os.path.basename(real)), str(len(self.names)))
        self.names[name] = self.config.documents[real].path
        return name

    def test(self, changed: dict[str, bytes], binary: str, arguments: Arguments, meanwhile: Callable[[], None]) -> Result:
        """Run nginx on the twins; `meanwhile` runs while nginx works. The twins are gone afterwards."""
        twins = candidates(self.config, changed, self.twin)
        try:
            for name, data in twins.items():
                staging.write(name, data, "nginx")
            return staging.run(command(binary, self.twin(self.config.root.real), arguments), meanwhile)
        finally:
            for name in twins:
                files.remove(name)

    def own_names(self, text: str) -> str:
        """nginx's message with the person's files instead of their twins."""
        return staging.own_names(text, self.names)


_PLACE = re.compile(r"^(.*) in (\S+):(\d+)$")
# on its own, or as a line of the error log, where that is stderr
_LEVEL = re.compile(r"^(?:nginx: |[\d/]+ [\d:]+ )\[(emerg|alert|crit|error|warn)\] (?:\d+#\d+: )?")


def messages(result: Result) -> Iterator[tuple[str, str]]:
    """What nginx itself said: each level with its text, without nginx's name and the time."""
    for line in result.err.splitlines():
        if found := _LEVEL.match(line):
            yield found[1], line[found.end() :]


def sayings(result: Result) -> list[str]:
    """Its errors alone."""
    return [text for level, text in messages(result) if level != "warn"]


def judge(result: Result, own_names: Callable[[str], str], *, running: bool) -> list[Problem]:
    """Accept nginx's verdict, or raise Rejected with its message at the person's own file and line."""
    if result.ok:
        return []
    said = sayings(result)
    if not running and _only_permission(result, said):
        return [Problem("nginx tested the syntax only: it may not open all of its files as this user", said[-1])]
    raise rejected(own_names(said[-1] if said else (result.err.strip() or result.reason())))


def _only_permission(result: Result, said: list[str]) -> bool:
    """An ordinary user's `nginx -t` fails on the pid file or a log although the syntax is right."""
    return "syntax is ok" in result.err and bool(said) and all("(13: Permission denied)" in s for s in said)


def rejected(message: str) -> Rejected:
    match = _PLACE.match(message)
    step = "mend that line, then run it again; nginx -t shows the same"
    if match:
        return Rejected(f"nginx refuses the config: {match[1]}", path=match[2], line=int(match[3]), column=1, next_step=step)
    return Rejected(f"nginx refuses the config: {message}", next_step=step)
