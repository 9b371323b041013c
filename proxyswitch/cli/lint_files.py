"""The files that lint is given: read, each with its kind."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch

from proxyswitch.errors import ConfigError, ProxyswitchError, UsageError
from proxyswitch.lint.finding import Source

STDIN = "-"
LIMIT = 16 << 20
WHOLE = "nginx.conf"


@dataclass
class Files:
    """By kind, in the order in which they were named; and what could not be read, which hides nothing of the others."""

    kinds: dict[str, list[Source]] = field(default_factory=dict)
    errors: list[ProxyswitchError] = field(default_factory=list)


def collect(names: list[str], kind: str, stdin_name: str) -> Files:
    """Read what was named. A file that is named twice, however, counts once."""
    found, seen = Files(), set()
    for name in names:
        try:
            for source in _read(name, stdin_name):
                real = STDIN if name == STDIN else os.path.realpath(source.path)
                if real not in seen:
                    seen.add(real)
                    found.kinds.setdefault(kind or _kind(source), []).append(source)
        except UsageError as error:
            found.errors.append(error)
    return found


def _kind(source: Source) -> str:
    """The kind of a file. Raises ConfigError for one that lint does not know."""
    from proxyswitch.lint.kinds import kind_of, template

    if kind := ("haproxy" if source.group else kind_of(source)):
        return kind
    if template(source.path):
        raise ConfigError("a template is no config yet", path=source.path, next_step="lint what your tool makes of it")
    raise ConfigError(
        "by its name and by its text this is neither nginx, HAProxy nor SQL",
        path=source.path,
        next_step="say what it is: --kind",
    )


def _read(name: str, stdin_name: str) -> list[Source]:
    """A file, standard input, or the config in a folder. Raises UsageError when it cannot be read."""
    if name == STDIN:
        return [Source(stdin_name, _text(sys.stdin.buffer.read(), stdin_name))]
    return _folder(name) if os.path.isdir(name) else [Source(name, _bytes(name))]


def _folder(name: str) -> list[Source]:
    """The nginx.conf of a folder, and what HAProxy loads of it, as one config. Raises UsageError when there is neither."""
    from proxyswitch.conf.haproxy.config import expand

    main = os.path.join(name, WHOLE)
    found = [Source(main, _bytes(main))] if os.path.isfile(main) else []
    if any(fnmatch(entry, "[!.]*.cfg") for entry in _entries(name)):
        sources = [Source(path, _bytes(path), group=name) for path in expand([name])]
        found += sources if _of_haproxy(sources) else []
    if not found:
        raise UsageError(
            f"{name}: there is no config file in it: neither {WHOLE} nor files of HAProxy that end in .cfg",
            next_step=f"name the files themselves, as {os.path.join(name, 'site.conf')}",
        )
    return found


def _of_haproxy(sources: list[Source]) -> bool:
    from proxyswitch.lint.kinds import kind_of

    return any(kind_of(source) == "haproxy" for source in sources)


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot read this folder: {error.strerror}") from None


def _bytes(name: str) -> bytes:
    from proxyswitch.system import files

    try:
        status = os.stat(name)
        if stat.S_ISREG(status.st_mode) and status.st_size > LIMIT:
            raise ConfigError(f"larger than {LIMIT >> 20} MB: this is no config", path=name)
        return _text(files.read(name), name)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot be read: {why}", path=name) from None


def _text(data: bytes, name: str) -> bytes:
    if b"\0" in data:
        raise ConfigError("this is no text", path=name)
    return data
