"""A server line has a parameter that nginx does not know, or a value that it does not take.

nginx refuses the whole config. A parameter and its value are one word: `weight=2`.

FAIL
    upstream app {
        server 127.0.0.1:3001 wieght=2;
        server 127.0.0.1:3002;
    }

FAIL
    upstream app {
        server 127.0.0.1:3001 weight=0;
        server 127.0.0.1:3002 max_fails 3;
    }

PASS
    upstream app {
        server 127.0.0.1:3001 weight=2 max_fails=3 fail_timeout=1m30s max_conns=100;
        server 127.0.0.1:3002 backup;
    }
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.near import meant
from proxyswitch.lint.nginx.tree import Config, Item

ID = "nginx/server-parameter"
LEVEL: Level = "error"

_NUMBER = re.compile(r"0*\d{1,19}", re.ASCII)
# ngx_parse_time, src/core/ngx_parse.c: years to seconds, the greatest first
_TIME = re.compile(
    r"(?=.*\d)(?:\d*y *)?(?:\d*M *)?(?:\d*w *)?(?:\d*d *)?(?:\d*h *)?(?:\d*m(?!s) *)?(?:\d*[s ] *)?\d* *", re.ASCII
)
VALUES = {
    "weight": (re.compile(r"0*[1-9]\d{0,18}", re.ASCII), "a number from 1 on"),
    "max_fails": (_NUMBER, "a number"),
    "max_conns": (_NUMBER, "a number"),
    "fail_timeout": (_TIME, "a time in seconds, or as 1m30s"),
}
FLAGS = ("backup", "down")
# Known to some versions or editions only. What their values may be is not looked at.
SOMETIMES = ("drain", "resolve", "id", "route", "service", "sid", "slow_start", "srun_id")


def check(config: Config) -> Iterator[Found]:
    for upstream in config.upstreams:
        for line in upstream.servers:
            if len(line.item.directive.words) > 2:
                yield from _wrong(line.item)


def _wrong(item: Item) -> Iterator[Found]:
    for number, param in enumerate(item.args[1:], 2):
        what = "" if param in FLAGS else _fault(param)
        if what:
            yield item.found(what, word=number)


@lru_cache(maxsize=1024)
def _fault(param: str) -> str:
    name, mark, value = param.partition("=")
    if "$" in param or name in SOMETIMES:
        return ""
    if name not in VALUES:
        return f"a server has no parameter {param}{_meant(name, mark)}"
    pattern, kind = VALUES[name]
    if not mark:
        return f"{name} needs a value in the same word, as {name}=3"
    return "" if pattern.fullmatch(value) else f"{param}: the value must be {kind}"


def _meant(name: str, mark: str) -> str:
    if name in FLAGS:
        return f": {name} takes no value"
    return meant(name.lower(), [*VALUES, *SOMETIMES] if mark else [*FLAGS, *VALUES], 0.7)
