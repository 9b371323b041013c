"""How a value is written in each format: the filters of the templates. What a format cannot hold is refused (ValueError).

A template may put out only what passed one of them (see render.py), so a value without a filter is an error, not a hole.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable

from proxyswitch.conf.haproxy import lexer
from proxyswitch.model import Endpoint
from proxyswitch.settings_base import Bytes, Seconds


class Quoted(str):
    """Text that is right for the format it goes into."""

    __slots__ = ()


class Lines(tuple[str, ...]):
    """Lines that code of ours has written in the format, out of checked values; no template can make any. A tab at the start
    is one step of indentation."""

    __slots__ = ()


def text_of(value: object) -> str:
    """A value as plain text: yes and no, a size in bytes, a time in seconds, an address; words are joined by spaces."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Seconds):
        return f"{float(value):g}"
    if isinstance(value, str | int | float | Endpoint):
        return str(int(value)) if isinstance(value, Bytes) else str(value)
    if is_undefined(value):
        str(value)  # raises, with the name that is missing
    raise ValueError(f"a template puts out {value!r}, which is no text")


def is_undefined(value: object) -> bool:
    """True for what jinja2 gives to a name that is not there."""
    return hasattr(value, "_fail_with_undefined_error")


# What ends a line: in JavaScript the last two do so as well, in YAML the last three.
ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def _plain(value: object) -> str:
    text = text_of(value)
    if bad := ENDS.search(text):
        raise ValueError(f"{text!r} contains {bad[0]!r}, which ends a line")
    return text


def nginx(value: object) -> Quoted:
    """A word of nginx's (`ngx_conf_read_token`): bare where that is possible, else in quotes. `$` would be a variable."""
    text = _plain(value)
    if "$" in text:
        raise ValueError(f"{text!r} contains $, which nginx takes for a variable")
    if text and not re.search(r"[\s{};\"'\\#]", text):
        return Quoted(text)
    return Quoted('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')


def haproxy(value: object) -> Quoted:
    """A word of HAProxy's (its manual, 2.2 "Quoting and escaping"): bare where that is possible, else in quotes."""
    if not (text := _plain(value)):
        raise ValueError("HAProxy takes an empty word for the end of the line")
    return Quoted(lexer.quoted(text).decode("utf-8", "surrogateescape"))


def systemd(value: object) -> Quoted:
    """Text of a unit file: `%` is doubled, and {slot} is the instance (systemd.unit(5), specifiers); a size as `512M`."""
    if isinstance(value, Bytes):
        return Quoted(size(value).upper())
    return Quoted(_plain(value).replace("%", "%%").replace("{slot}", "%i"))


# What a release gives to its unit, as a command names it in proxyswitch.toml, and as systemd does.
_GIVEN = {"{port}": "${PORT}", "{host}": "${HOST}", "{version}": "${APP_VERSION}"}


def systemd_words(words: Iterable[object]) -> Quoted:
    """A command line of a unit file (systemd.service(5), command lines): `%` and `$` doubled, words with blanks quoted;
    {slot}, {port}, {host} and {version} are what the unit gets from a release."""

    def word(value: object) -> str:
        text = systemd(value).replace("$", "$$").replace("\\", "\\\\")
        text = re.sub("|".join(map(re.escape, _GIVEN)), lambda found: _GIVEN[found[0]], text)
        return text if text and not re.search(r"[\s\"';]", text) else '"' + text.replace('"', '\\"') + '"'

    return Quoted(" ".join(word(value) for value in words))


def sh(value: object) -> Quoted:
    """A word of a shell."""
    return Quoted(shlex.quote(_plain(value)))


def sh_words(words: Iterable[object]) -> Quoted:
    """A command of a shell."""
    return Quoted(" ".join(sh(word) for word in words))


def cron(value: object) -> Quoted:
    """A time or a user of a crontab (crontab(5)): as it is, for there is no way to quote `%` outside of a command."""
    text = _plain(value)
    if "%" in text:
        raise ValueError(f"{text!r} contains %, which ends a line of cron's")
    return Quoted(text)


def cron_words(words: Iterable[object]) -> Quoted:
    """A command of a crontab: a shell's, with `\\%` for `%`. What another backslash becomes depends on the cron."""
    text = sh_words(words)
    if "\\" in text:
        raise ValueError(f"{text!r} contains a backslash, which not every cron hands on")
    return Quoted(text.replace("%", "\\%"))


def logrotate(value: object) -> Quoted:
    """A word or path of logrotate's: bare, else in double quotes, which it knows no way to escape; a size as `10M`."""
    text = size(value).replace("m", "M").replace("g", "G") if isinstance(value, Bytes) else _plain(value)
    if bad := re.search(r"[\"\\]", text):
        raise ValueError(f"{text!r} contains {bad[0]!r}, which logrotate cannot read")
    return Quoted(text if re.fullmatch(r"[\w/.*?@:+-]+", text) else f'"{text}"')


def js(value: object) -> Quoted:
    """A value of JSON, JavaScript or YAML, of which JSON is a part: texts, numbers, booleans, lists, tables."""

    def plain(value: object) -> object:
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            return {_plain(key): plain(item) for key, item in value.items()}
        return value if isinstance(value, bool | int) else _plain(value)

    return Quoted(json.dumps(plain(value), ensure_ascii=False))


def compose(value: object) -> Quoted:
    """A value of a compose file, in which `$` would be a variable."""
    return Quoted(js(value).replace("$", "$$"))


def comment(value: object) -> Quoted:
    """Text of a comment."""
    return Quoted(_plain(value))


def milliseconds(value: float) -> Quoted:
    """A time in whole milliseconds."""
    return Quoted(str(round(float(value) * 1000)))


def duration(value: float) -> Quoted:
    """A time as nginx, HAProxy, systemd, Docker and Go write it: `1h`, `5m`, `90s`, `500ms`."""
    seconds = float(value)
    if seconds != int(seconds):
        return Quoted(f"{round(seconds * 1000)}ms")
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds > 60 and seconds % length == 0:
            return Quoted(f"{seconds // length:.0f}{unit}")
    return Quoted(f"{seconds:.0f}s")


def size(value: int) -> Quoted:
    """A size as nginx and Docker write it: `10m`, `64k`, `512`."""
    count, unit = int(value), ""
    for bigger in "kmg":
        if not count or count % 1024:
            break
        count, unit = count // 1024, bigger
    return Quoted(f"{count}{unit}")


def shown(value: object) -> str:
    """A value as a person would write it: `5s`, `10M`, yes."""
    if isinstance(value, Seconds):
        return duration(value)
    return size(value).upper() if isinstance(value, Bytes) else text_of(value)


def lines(value: object, steps: int = 0) -> Quoted:
    """Such lines, indented by so many steps of four blanks more."""
    if not isinstance(value, Lines):
        raise ValueError(f"{value!r} are no lines that a kind has written")
    bare = [(line.lstrip("\t"), len(line) - len(line.lstrip("\t"))) for line in map(_plain_line, value)]
    return Quoted("\n".join("    " * (steps + tabs) + text if text else "" for text, tabs in bare))


def _plain_line(line: str) -> str:
    _plain(line.lstrip("\t"))
    return line


FILTERS: dict[str, Callable[..., Quoted]] = {
    "comment": comment,
    "compose": compose,
    "cron": cron,
    "cron_words": cron_words,
    "duration": duration,
    "haproxy": haproxy,
    "js": js,
    "logrotate": logrotate,
    "lines": lines,
    "milliseconds": milliseconds,
    "nginx": nginx,
    "sh": sh,
    "sh_words": sh_words,
    "size": size,
    "systemd": systemd,
    "systemd_words": systemd_words,
    "yaml": js,
}
