"""States of servers are to be loaded at a start, and it is not said from where.

`load-server-state-from-file global` needs `server-state-file` in global. `local` needs `server-state-base` there, else the
file is looked for in the folder where HAProxy happens to start. HAProxy only warns, and after a reload a drained server
takes traffic.

FAIL
    global
        maxconn 1000

    defaults
        mode http
        load-server-state-from-file global

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

PASS
    global
        server-state-file /var/lib/haproxy/state

    defaults
        mode http
        load-server-state-from-file global

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy
from proxyswitch.lint.haproxy.known import may_be_off

ID = "haproxy/state-file-not-configured"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    if not config.whole:
        return
    said = {row.keyword for _, rows in config.sections(b"global") for row in rows}
    told: set[tuple[str, int]] = set()
    for proxy in config.proxies:
        row = next(iter(proxy.said(b"load-server-state-from-file")[-1:]), None)
        if row is None or not row.sure or not proxy.sends or not proxy.servers or may_be_off(proxy):
            continue
        place = (row.document.path, row.line.number)
        message = _missing(row.words[1:2], proxy, said)
        if message and place not in told:
            told.add(place)
            yield row.found(message)


def _missing(kind: list[str], proxy: Proxy, said: set[bytes]) -> str:
    """What is not said in global."""
    if kind == ["global"] and b"server-state-file" not in said:
        return "there is no server-state-file in global to load states from"
    if kind == ["local"] and not said & {b"server-state-base", b"default-path"}:
        names = [word for row in proxy.said(b"server-state-file-name") for word in row.words[1:2]]
        if not names or not names[-1].startswith(("/", "$")):
            return f"there is no server-state-base in global: the states of {proxy.name} are looked for where HAProxy starts"
    return ""
