"""Which backends the rest of a config names: frontends send to them, rules ask about them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.lint.haproxy.config import Config, Proxy, Row

_NAMES = re.compile(r"[\w.:-]+")
_ARGUMENTS = re.compile(r"\(([^()]*)\)")


def asked_about(config: Config) -> set[str]:
    """The names in parentheses, as in `nbsrv(app)` and `table_conn_cnt(app)`."""
    return {
        name
        for row in _rows(config)
        if b"(" in row.document.data[row.line.start : row.line.end]
        for word in row.words
        for arguments in _ARGUMENTS.findall(word)
        for name in _NAMES.findall(arguments)
    }


def mentioned(config: Config) -> set[str]:
    """Every word that may name a backend: whole, or a part of one such as `nbsrv(app)` or `rhttp@app/s1`."""
    names: set[str] = set()
    for row in _rows(config):
        for word in row.words[1:]:
            names.add(word)
            if not word.isalnum():
                names.update(_NAMES.findall(word))
    return names | set(_tracked(config))


def unused(config: Config) -> list[Proxy]:
    """The backends that nothing names; none where that cannot be known: in a part of a config, and where SPOE may name some
    in another file."""
    return config.once(_unused)


def _unused(config: Config) -> list[Proxy]:
    spoe = any("spoe" in row.words for row in config.rows(b"filter"))
    found = _without_frontend(config) if config.whole and not spoe else []
    names = mentioned(config) if found else set()
    return [proxy for proxy in found if proxy.name not in names]


def _without_frontend(config: Config) -> list[Proxy]:
    """The backends that no frontend may send to, by the lines that are for it."""
    rows = (row for keyword in (b"default_backend", b"use_backend") for row in config.rows(keyword))
    targets = {target for row in rows for target in row.words[1:2]}
    names = [target for target in targets if "%" in target or "$" in target]
    dynamic = re.compile("|".join(map(_pattern, names)) or r"(?!)")
    rest = [proxy for proxy in config.proxies if proxy.kind == "backend" and proxy.name not in targets]
    known = (proxy for proxy in rest if proxy.sure and not proxy.off and not proxy.own(b"stick-table"))
    return [proxy for proxy in known if not dynamic.fullmatch(proxy.name)]


def _pattern(target: str) -> str:
    """What a name may be that is put together at run time: known are only its begin and its end."""
    begin, end = re.split(r"[%$]", target)[0], re.split(r"[\]}]", target)[-1]
    return re.escape(begin) + ".*" + (re.escape(end) if "]" in target and target.count("%") == 1 else "")


def _rows(config: Config) -> Iterator[Row]:
    for _, rows in config.sections():
        yield from (row for row in rows if row.keyword not in (b"server", b"server-template"))


def _tracked(config: Config) -> Iterator[str]:
    for proxy in config.proxies:
        for server in proxy.lines:
            yield from server.said.get("track", "").split("/")[:1]
