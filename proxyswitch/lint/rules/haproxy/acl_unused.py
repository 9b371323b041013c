"""An ACL is declared, and no condition of its section names it.

Often a rule was lost, or it stands in another section, where this ACL does not count.

FAIL
    frontend www
        bind 127.0.0.1:8080
        acl is_api path_beg /api
        default_backend app

PASS
    frontend www
        bind 127.0.0.1:8080
        acl is_api path_beg /api
        use_backend api if is_api
        default_backend app
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.conditions import SECTIONS, mentioned
from proxyswitch.lint.haproxy.config import Config, Row

ID = "haproxy/acl-unused"
LEVEL: Level = "info"
_SERVERS = (b"server", b"server-template", b"default-server")


def check(config: Config) -> Iterator[Found]:
    for _, rows in config.sections(*SECTIONS):
        declared: dict[str, Row] = {}
        for row in rows:
            if row.keyword == b"acl" and len(row.words) > 1:
                declared.setdefault(row.words[1], row)
        if declared:
            used = {name for row in rows if row.keyword not in _SERVERS for name in mentioned(row)}
            if not any("$" in name for name in used):
                yield from (_unused(name, row) for name, row in declared.items() if name not in used)


def _unused(name: str, row: Row) -> Found:
    return row.found(f"nothing in this section names the ACL {name}", word=1)
