"""What the servers themselves say of a config, and gixy where it is here: as findings beside ours."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence

from proxyswitch.errors import UsageError
from proxyswitch.lint.finding import Finding, Level, Source
from proxyswitch.system.run import Command, Result, run

TIMEOUT = 120.0
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_GIXY: dict[str, Level] = {"HIGH": "warning", "MEDIUM": "warning"}
_PLACE = re.compile(r"(?P<what>.*) in (?P<path>\S+):(?P<line>\d+)")
_DENIED = re.compile(r"permission denied", re.I)


def findings(sources: Sequence[Source], kind: str) -> list[Finding]:
    """What a server says of the whole configs among the files. Raises UsageError when it is not installed."""
    found = (finding for ask in ASKED.get(kind, ()) for finding in ask(sources))
    return list(dict.fromkeys(found))


def _program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if not found:
        raise UsageError(f"--with-server needs {name}, and it is not installed", next_step=f"apt-get install {name}")
    return found


# nginx


def _whole(sources: Sequence[Source]) -> list[Source]:
    from proxyswitch.lint.nginx.load import load

    return [source for source in sources if load(source).whole]


def _nginx(sources: Sequence[Source]) -> Iterator[Finding]:
    for source in _whole(sources):
        result = run(Command((_program("nginx"), "-t", "-c", os.path.abspath(source.path)), TIMEOUT))
        yield from of_nginx(result, source.path)


def of_nginx(result: Result, main: str) -> Iterator[Finding]:
    """Its messages. What an ordinary user may not open is no fault: a pid file, a log, a key."""
    from proxyswitch.proxies.nginx_stage import messages

    said = list(messages(result))
    for level, text in said:
        if not _DENIED.search(text):
            place = _PLACE.fullmatch(text)
            path, line = (_shown(place["path"], main), int(place["line"])) if place else (main, 1)
            yield Finding(path, line, 1, "server/nginx", _level(level), place["what"] if place else text)
    if not result.ok and not said:
        yield Finding(main, 1, 1, "server/nginx", "error", (result.err.strip() or result.reason()).splitlines()[-1])


def _level(said: str) -> Level:
    return "warning" if said in ("warn", "WARNING") else "error"


def _shown(path: str, main: str) -> str:
    """A file as our own findings name it: from the folder of the main file, if it lies there."""
    folder = os.path.abspath(os.path.dirname(main))
    return os.path.join(os.path.dirname(main), os.path.relpath(path, folder)) if path.startswith(f"{folder}/") else path


def _gixy(sources: Sequence[Source]) -> Iterator[Finding]:
    program = shutil.which("gixy", path=PATH)
    for source in _whole(sources) if program else ():
        result = run(Command((str(program), "-f", "json", os.path.abspath(source.path)), TIMEOUT))
        try:
            said = json.loads(result.out or "[]")
        except ValueError:
            raise UsageError(f"{source.path}: gixy cannot read it: {_last(result)}") from None
        for issue in said:
            path, line = _shown(str(issue.get("file") or source.path), source.path), int(issue.get("line") or 1)
            what = ": ".join(filter(None, (issue.get("summary", "").rstrip("."), issue.get("reason", ""))))
            level = _GIXY.get(issue.get("severity", ""), "info")
            yield Finding(path, line, 1, f"server/gixy-{issue['plugin']}", level, " ".join(what.split()))


def _last(result: Result) -> str:
    lines = (result.err.strip() or result.out.strip() or result.reason()).splitlines()
    return lines[-1]


# HAProxy


def _haproxy(sources: Sequence[Source]) -> Iterator[Finding]:
    from proxyswitch.lint.haproxy.load import load

    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(source.group or source.path, []).append(source)
    for group in groups.values():
        if load(group).whole:
            yield from _of_haproxy(group)


def _of_haproxy(group: Sequence[Source]) -> Iterator[Finding]:
    from proxyswitch.proxies.haproxy_stage import messages

    argv = [_program("haproxy"), "-c"]
    for source in group:
        argv += ["-f", source.path]
    result = run(Command(tuple(argv), TIMEOUT))
    said = list(messages(result.err))
    for one in said:
        yield Finding(one.path or group[0].path, one.line or 1, 1, "server/haproxy", _level(one.level), one.text)
    if not result.ok and not any(one.level == "ALERT" for one in said):
        yield Finding(group[0].path, 1, 1, "server/haproxy", "error", _last(result))


ASKED: dict[str, tuple[Callable[[Sequence[Source]], Iterator[Finding]], ...]] = {
    "haproxy": (_haproxy,),
    "nginx": (_nginx, _gixy),
}
