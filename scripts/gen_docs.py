#!/usr/bin/env python3
"""Write docs/cli.md from the real --help of every command, and the table of keys in docs/settings.md from the settings.

scripts/gen_docs.py            write them
scripts/gen_docs.py --check    change nothing; exit 1 when one is stale
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))

from proxyswitch import durations, settings  # noqa: E402  # from this checkout, wherever it is called
from proxyswitch.cli.app import COMMANDS  # noqa: E402

CLI = REPO / "docs" / "cli.md"
KEYS = REPO / "docs" / "settings.md"
BEGIN, END = "<!-- keys: written by scripts/gen_docs.py -->", "<!-- end of keys -->"
# The same text on every machine: a fixed width, no colour, no shell to guess.
FIXED = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}

TABLES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("nginx", settings.Nginx),
    ("haproxy", settings.Haproxy),
    ("apps.NAME", settings.App),
    ("apps.NAME.process", settings.Process),
    ("apps.NAME.health", settings.Health),
    ("apps.NAME.hooks", settings.Hooks),
)
IS_TABLE = {"apps.NAME.process", "apps.NAME.health", "apps.NAME.hooks"}

HOOK = "Command to run {}."
WORDS = {
    "nginx.conf": "The main config. Empty: that of the running nginx, else the one compiled in. `--nginx-conf` goes first.",
    "nginx.binary": "The nginx program. Empty: that of the running nginx, else the one in `PATH` or a usual place.",
    "nginx.reload_timeout": "How long nginx may take over a reload. Keep it above 3 s: nginx tries a busy port that long.",
    "nginx.max_old_workers": "With so many old workers still shutting down, a further reload is refused.",
    "haproxy.conf": (
        "The config: what stands behind `-f`, a list where there are several; folders too."
        " Empty: that of the running HAProxy, else `/etc/haproxy/haproxy.cfg`. `--haproxy-conf` goes first."
    ),
    "haproxy.socket": (
        "The runtime socket: a path, or `127.0.0.1:9999`. Empty: as the `stats socket` lines of the config say."
        " Without `conf` only what runs is changed, and that does not last. `--haproxy-socket` goes first."
    ),
    "haproxy.binary": "The HAProxy program. Empty: that of the running HAProxy, else the one in `PATH` or a usual place.",
    "haproxy.reload_timeout": "How long HAProxy may take over a reload; 3 s at least, since it tries a busy port for 2 s.",
    "apps.NAME.pool": (
        "The pool of the app: an `upstream` of nginx, a `backend` or `listen` of HAProxy. In nginx with its context"
        " (`http:NAME`, `stream:NAME`) where both have one."
    ),
    "apps.NAME.slots": "Name and address of each place where a version can run; two or more for `deploy`.",
    "apps.NAME.proxy": "The proxy that has the pool: `nginx` or `haproxy`.",
    "apps.NAME.driver": "Who starts and stops the app. Today only `process`.",
    "apps.NAME.drain": "How long to wait for the old side after a switch; then exit 5, and the old side is left running.",
    "apps.NAME.watch": "So long the new version is watched after the switch; if it fails: back to the old. 0: no watch.",
    "apps.NAME.process.command": "What starts the app, in the foreground: a list of words, or a string for `/bin/sh -c`.",
    "apps.NAME.process.cwd": "Its working folder. Counts from the folder of the settings file, which is also the default.",
    "apps.NAME.process.user": "The user it runs as. Only root can name another than itself.",
    "apps.NAME.process.umask": "Its umask, as `027`. Empty: as it is.",
    "apps.NAME.process.env": "More environment variables.",
    "apps.NAME.process.log_dir": "Where its log files go. Empty: `apps/NAME/logs` in the state folder.",
    "apps.NAME.process.log_keep": "So many log files a slot are kept; each start begins a new one.",
    "apps.NAME.process.stop_signal": "The signal that asks it to end: `TERM`, `INT`, `QUIT` …",
    "apps.NAME.process.grace": "How long it may take to end; then SIGKILL to the whole process group.",
    "apps.NAME.process.adopt_port": "Also find and stop what listens on a slot's port and was started by somebody else.",
    "apps.NAME.health.url": "`http://`, `https://`, `tcp://` (connect only) or `unix:///run/app.sock:/path`.",
    "apps.NAME.health.status": 'The HTTP statuses that are healthy: `200`, `[200, 204]` or `"200-299,304"`.',
    "apps.NAME.health.body": "Text that the body must contain (in its first 1 MiB).",
    "apps.NAME.health.json": "Fields that the JSON answer must have; it may have more.",
    "apps.NAME.health.headers": "Headers to send.",
    "apps.NAME.health.host": "The Host header, and the name for TLS.",
    "apps.NAME.health.timeout": "For one try, whole.",
    "apps.NAME.health.total": "For all tries together; then the release has failed.",
    "apps.NAME.health.interval": "Between two tries.",
    "apps.NAME.health.successes": "So many healthy answers in a row are needed.",
    "apps.NAME.health.insecure": "Do not verify the certificate.",
    "apps.NAME.hooks.prepare": HOOK.format("before the new version is started"),
    "apps.NAME.hooks.before_switch": HOOK.format("when the new version is healthy, before the switch"),
    "apps.NAME.hooks.after_switch": HOOK.format("after the switch, before the watch; when it fails, all is taken back"),
    "apps.NAME.hooks.after_release": HOOK.format("at the very end, when the old version is stopped"),
    "apps.NAME.hooks.on_failure": HOOK.format("when the release has failed and was taken back"),
    "apps.NAME.hooks.timeout": "For each hook.",
}


def cli() -> str:
    """docs/cli.md."""
    parts = [
        "# Commands",
        "This page is the `--help` of every command, written by `scripts/gen_docs.py`. Do not edit it by hand.",
        _block("proxyswitch", help_of()),
    ]
    for name in COMMANDS:
        parts.append(_block(f"proxyswitch {name}", help_of(name)))
    return "\n\n".join(parts) + "\n"


def _block(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```"


def help_of(*words: str) -> str:
    """What `--help` prints."""
    environment = {**os.environ, **FIXED, "PYTHONPATH": str(REPO)}
    argv = [sys.executable, "-m", "proxyswitch", *words, "--help"]
    text = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def keys() -> str:
    """docs/settings.md, with its table of keys written anew."""
    text = KEYS.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n" + "\n".join(_tables()) + f"\n{END}{after}"


def _tables() -> Iterator[str]:
    known = set()
    for path, kind in TABLES:
        yield from (f"### `[{path}]`", "", "| key | kind | default | what it does |", "|---|---|---|---|")
        for key, row in _rows(path, kind):
            known.add(key)
            yield row
        yield ""
    left = set(WORDS) - known
    if left:
        raise SystemExit(f"gen_docs.py describes keys that are not there: {', '.join(sorted(left))}")


def _rows(path: str, kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        key = f"{path}.{field.encode_name}"
        if key in IS_TABLE:
            continue
        if key not in WORDS:
            raise SystemExit(f"gen_docs.py does not describe {key}: add it to WORDS")
        yield key, f"| `{field.encode_name}` | {_kind(hints[field.name])} | {_default(field)} | {WORDS[key]} |"


NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", settings.Seconds: "duration"}


def _kind(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(_kind(i) for i in inner if i is not type(None))
    if origin is list:
        return f"list of {'texts' if inner[0] is str else 'whole numbers'}"
    if origin is dict:
        return "table"
    return NAMES[hint]


def _default(field: Any) -> str:
    if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
        return "**required**"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, settings.Seconds):
        return f"`{_duration(value)}`"
    if value in ("", None, {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else msgspec.json.encode(value).decode()}`"


def _duration(value: float) -> str:
    text = f"{value:g}s" if value >= 1 or not value else f"{value * 1000:g}ms"
    if durations.parse(text) != value:
        raise SystemExit(f"{value} s cannot be written as a duration")
    return text


def main(words: list[str]) -> int:
    """Exit status: 1 when --check found something stale."""
    stale = [(path, text) for path, text in ((CLI, cli()), (KEYS, keys())) if _text(path) != text]
    for path, text in stale:
        if "--check" in words:
            sys.stderr.write(f"{path.relative_to(REPO)} is stale: run scripts/gen_docs.py (or: make docs)\n")
        else:
            path.write_text(text)
            sys.stderr.write(f"wrote {path.relative_to(REPO)}\n")
    return int("--check" in words and bool(stale))


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
