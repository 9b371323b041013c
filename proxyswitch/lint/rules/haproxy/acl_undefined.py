"""A condition names an ACL that its section does not declare before it.

HAProxy refuses the config. An ACL holds for its own section, from its line on: those of a `defaults` section are not seen
from others. Conditions side by side must all hold, without a word between them; the other word is `or`.

FAIL
    frontend www
        bind 127.0.0.1:8080
        acl is_api path_beg /api
        use_backend api if is_app
        default_backend app

FAIL
    frontend www
        bind 127.0.0.1:8080
        http-request deny if METH_POST and { path /x }

PASS
    frontend www
        bind 127.0.0.1:8080
        acl is_api path_beg /api
        use_backend api if is_api !METH_POST or { path /x }
        default_backend app
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.conditions import OWN, condition, rules
from proxyswitch.lint.haproxy.config import Config, Row
from proxyswitch.lint.near import near

ID = "haproxy/acl-undefined"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for rows in rules(config):
        names = {" ".join(row.words[1:2]) for row in rows if row.keyword == b"acl"}
        if not any("$" in name for name in names):
            yield from _of_section(rows, names)


def _of_section(rows: list[Row], names: set[str]) -> Iterator[Found]:
    declared = set(OWN)
    for row in rows:
        if row.keyword == b"acl":
            declared.add(" ".join(row.words[1:2]))
            continue
        found = condition(row) if row.sure else None
        for name, word in found.names if found and not found.glued else ():
            if name not in declared and not name.startswith("METH_"):
                yield row.found(_message(name, declared, names), word=word)


def _message(name: str, declared: set[str], names: set[str]) -> str:
    if name.lower() in ("and", "&&"):
        return f"there is no ACL {name}: conditions side by side must all hold already"
    if name in names:
        return f"the ACL {name} is declared further down: HAProxy wants it before its first use"
    close = near(name, declared - OWN) or near(name, OWN, 0.8)
    return f"there is no ACL {name} in this section" + (f": did you mean {close}?" if close else "")
