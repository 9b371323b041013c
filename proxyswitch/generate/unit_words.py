"""The words of units, timers and cron: names and times that systemd and cron read, as strict as the other words."""

from __future__ import annotations

import os
import re

from proxyswitch.generate import words

ORDERS = ("confirm", "deploy", "maintenance", "restart", "rollback", "start", "stop", "switch")

_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_LONG = r"(mon(day)?|tue(sday)?|wed(nesday)?|thu(rsday)?|fri(day)?|sat(urday)?|sun(day)?)"
_ITEM = r"(\*|\d{1,4}(\.\.\d{1,4})?)(/\d{1,4})?"
_FIELD = rf"{_ITEM}(,{_ITEM})*"
_DATE, _TIME = rf"{_FIELD}(-{_FIELD})?[-~]{_FIELD}", rf"{_FIELD}:{_FIELD}(:{_FIELD})?"
_CALENDAR = re.compile(
    rf"(?!$)({_LONG}((\.\.|,){_LONG})*)?( ?(?<![^ ]){_DATE})?( ?(?<![^ ]){_TIME})?"
    r"( (utc|[a-z]+(/[a-z_+-]+[a-z0-9]*)+))?",
    re.ASCII | re.I,
)
_SHORT = ("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually")
_NICKNAMES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_CRON = (("minute", 0, 59, ""), ("hour", 0, 23, ""), ("day", 1, 31, ""), ("month", 1, 12, _MONTH), ("weekday", 0, 7, _DAY))


def slotted(text: str) -> str:
    """An absolute path, in which {slot} is the name of the slot."""
    words.path(text.replace("{slot}", "slot"))
    if os.path.normpath(text) != text:
        raise ValueError(f"{text!r}: write it without //, . and .. and a slash at its end, as systemd wants it")
    return text


def pattern(text: str) -> str:
    """An absolute path of files, in which * and ? may stand."""
    return words.path(text)


def unit(text: str) -> str:
    """The name of a service, without its ending: `web`, or `web@` for a template, of which each slot is an instance."""
    plain = text.removesuffix(".service").replace("@{slot}", "@")
    words.name(plain.removesuffix("@"))
    return plain


def command(text: str) -> tuple[str, ...]:
    """The command of a unit. What stands before a program there (as + and !) gives it rights, and is refused."""
    found = words.command(text)
    if not re.fullmatch(r"[A-Za-z0-9_./][^\s\"'\\{}$;%]*", found[0].replace("{slot}", "slot")):
        raise ValueError(f"{found[0]!r} is no program that a unit can name: its path, or a plain name")
    for word in found:
        if "{address}" in word:
            raise ValueError("a unit knows no {address}: write {host}:{port}")
    return found


def order(text: str) -> tuple[str, ...]:
    """What proxyswitch is to do, as `deploy web` or `switch web_backend green --drain 60s`."""
    found = words.command(text)
    if found[0] == "proxyswitch":
        found = found[1:]
    if not found or found[0] not in ORDERS:
        raise ValueError(f"{text!r}: expected a command of proxyswitch: {', '.join(ORDERS)}")
    return found


def calendar(text: str) -> str:
    """A time of systemd's (systemd.time(7), calendar events), as `Sat 03:05` or `*-*-01 04:00:00 Europe/Berlin`."""
    if text.lower() in _SHORT or _CALENDAR.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is no time as systemd writes it: daily, 03:05, Sat 03:05, *-*-01 04:00:00 Europe/Berlin")


def cron(text: str) -> str:
    """A time of cron's: five fields, or @daily and the like."""
    if text in _NICKNAMES:
        return text
    fields = text.split(" ")
    if len(fields) != len(_CRON):
        raise ValueError(f"{text!r}: expected five fields, as '5 3 * * *': minute, hour, day, month, weekday; or @daily")
    for field, (title, least, most, names) in zip(fields, _CRON, strict=True):
        for item in field.split(","):
            _cron_item(item, title, least, most, names)
    return text


def _cron_item(item: str, title: str, least: int, most: int, names: str) -> None:
    if names and re.fullmatch(f"{names}(-{names})?", item, re.I):
        return
    found = re.fullmatch(r"\d{1,2}|(?:\*|\d{1,2}-\d{1,2})(?:/[1-9]\d?)?", item, re.ASCII)
    limits = [int(number) for number in re.findall(r"\d+", item.partition("/")[0])] if found else []
    if not found or limits != sorted(limits) or not all(least <= number <= most for number in limits):
        raise ValueError(f"{item!r} is no {title} of cron's: {least} to {most}, *, */5, or a list with commas")
