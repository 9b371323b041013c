"""The command show: pools and servers as the files say and as they run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, Proxies, split_pool
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import Pool, Server, ServerState
from proxyswitch.proxies.base import Proxy, Seen

COLUMNS = ("pool", "server", "state", "weight", "connections", "health", "where")
HEALTH = COLUMNS.index("health")
SHORT = {"connections": "open"}
TELLS_NO_MORE = ("", "UP", "MAINT", "DRAIN", "no check")
NOTHING = Seen()

Row = tuple[str, ...]


def show(
    pool: Annotated[str, typer.Argument(metavar="[POOL]", help="One pool; all without it.")] = "",
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Show pools, servers, states and live connections.

    Says too what differs between the files and the running proxy.
    """
    views = _views(Proxies(Given(config, nginx_conf, haproxy_conf, haproxy_socket, quiet=quiet)), pool)
    if json:
        pools = [p for view in views for p in view.as_pools()]
        output.as_json({"pools": pools, "proxies": [v.facts() for v in views], "interrupted": interrupted()})
        return
    header, *rows = _fitting([COLUMNS, *(row for view in views for row in view.rows())])
    output.table(header, rows)
    if quiet:
        return
    for view in views:
        view.tell()
    tell_interrupted()


def _fitting(table: list[Row]) -> list[Row]:
    """The table for where it goes. The column of health checks is there when a proxy has any.

    On a terminal that is too narrow a file goes by its name alone, and checks that tell no more than the state are left
    out: a column of folded paths helps nobody.
    """
    table = table if any(row[HEALTH] for row in table[1:]) else [_besides(row, HEALTH) for row in table]
    if not sys.stdout.isatty() or _width(table) <= shutil.get_terminal_size().columns:
        return table
    table[0] = tuple(SHORT.get(word, word) for word in table[0])
    table = [(*row[:-1], os.path.basename(row[-1])) for row in table]
    telling = len(table[0]) > HEALTH + 1 and any(row[HEALTH] not in TELLS_NO_MORE for row in table[1:])
    return table if telling or len(table[0]) <= HEALTH + 1 else [_besides(row, HEALTH) for row in table]


def _besides(row: Row, column: int) -> Row:
    return row[:column] + row[column + 1 :]


def _width(table: list[Row]) -> int:
    return sum(max(map(len, column)) + 2 for column in zip(*table, strict=True))


def _views(proxies: Proxies, pool: str) -> list[View]:
    """One pool of one proxy; or all, of each proxy that can be read: the only one there is must be."""
    if split_pool(pool)[1]:
        proxy, name = proxies.of_pool(pool)
        return [View(proxy, [proxy.pool(name)])]
    names = proxies.names()
    if len(names) == 1:
        proxy = proxies.make(names[0])
        return [View(proxy, proxy.pools())]
    views = []
    for name in names:
        try:
            proxy = proxies.make(name)
            views.append(View(proxy, proxy.pools()))
        except ProxyswitchError as error:
            output.note(f"{name}: {error.what}")
    return views


class View:
    """Pools of one proxy, with what is known of them at this moment."""

    def __init__(self, proxy: Proxy, pools: list[Pool]) -> None:
        self.proxy, self.pools = proxy, pools
        self.seen = proxy.seen(pools)
        self.pending, self.left = proxy.pending(), proxy.draining(proxy.leftovers())
        self.closed = {p.name: proxy.closed(p.name) for p in pools}

    def rows(self) -> list[tuple[str, ...]]:
        return [self._row(p, s) for p in self.pools for s in p.servers]

    def _row(self, pool: Pool, server: Server) -> tuple[str, ...]:
        seen = self.seen.get((pool.name, server.label), NOTHING)
        weight = server.weight if seen.weight is None else seen.weight
        count = "-" if seen.connections is None else str(seen.connections)
        mark = "*" if seen.differs else ""
        title = server.name or server.slot
        name = f"{title} {seen.address or server.address}" if title else server.label
        return (
            pool.name,
            name,
            _state(server, seen.state) + mark,
            str(weight),
            count,
            seen.health,
            str(server.where or "-"),
        )

    def as_pools(self) -> list[dict[str, Any]]:
        return [_pool(p, self.seen) | {"closed": self.closed[p.name] or None} for p in self.pools]

    def facts(self) -> dict[str, Any]:
        return {
            "proxy": self.proxy.name,
            "conf": self.proxy.conf,
            "running": self.proxy.running(),
            "changed_since_load": self.pending,
            "draining": {"count": self.left.count, "what": self.left.what} if self.left else None,
        }

    def tell(self) -> None:
        """What stands beside the table."""
        name, conf = self.proxy.name, self.proxy.conf
        if not self.proxy.running():
            output.note(f"{name} does not run with {conf}: this is what the file says")
        for path in self.pending:
            output.note(f"{path} was changed after {name} last loaded it: what runs may differ")
        for line in self._of_pools():
            output.note(line)
        if self.left:
            output.note(f"still at work on their last requests: {self.left.what}")
        for (pool, server), seen in self.seen.items():
            for line in seen.differs:
                output.note(f"* {pool}/{server}: {line}")
        unlike = sorted({pool for (pool, _), seen in self.seen.items() if seen.differs})
        if unlike:
            output.note(f"to make them agree: proxyswitch reconcile {unlike[0]} --by runtime, or --by file")

    def _of_pools(self) -> Iterator[str]:
        for pool, closed in self.closed.items():
            if closed:
                yield f"{pool} is {closed}; to open it: proxyswitch maintenance {pool} off"
        yield from (f"warning: {line}" for line in self.proxy.trouble(self.pools))


def interrupted() -> list[str]:
    """What runs left that were cut off, or that are under way; loads nothing when there is nothing."""
    from proxyswitch.system import state

    journals = state.folder() / "journal"
    if not journals.is_dir() or not any(journals.iterdir()):
        return []
    from proxyswitch.release.recovery import left

    return left()


def tell_interrupted() -> None:
    for line in interrupted():
        output.note(f"interrupted, or under way: {line}; if nothing runs, put it right with: proxyswitch recover")


def _state(server: Server, runs: str = "") -> str:
    """What the proxy tells, else what the file says; a backup that is not out is called so."""
    state = runs or str(server.state)
    return "backup" if server.backup and state == ServerState.READY else state


def _pool(pool: Pool, seen: dict[tuple[str, str], Seen]) -> dict[str, Any]:
    return {
        "name": pool.name,
        "proxy": pool.proxy,
        "context": pool.context,
        "balancer": pool.balancer,
        "instant": pool.instant,
        "file": pool.where.path if pool.where.line else None,
        "line": pool.where.line or None,
        "servers": [_server(s, seen.get((pool.name, s.label), NOTHING)) for s in pool.servers],
    }


def _server(server: Server, seen: Seen) -> dict[str, Any]:
    """What the file says, and under `running` what the proxy tells, where it tells anything."""
    return {
        "name": server.name or None,
        "slot": server.slot or None,
        "address": server.address,
        "state": _state(server),
        "live": server.live,
        "weight": server.weight,
        "down": server.down,
        "backup": server.backup,
        "params": list(server.params),
        "connections": seen.connections,
        "running": _running(seen) if seen.state else None,
        "differs": list(seen.differs),
        "file": server.where.path if server.where else None,
        "line": server.where.line if server.where else None,
    }


def _running(seen: Seen) -> dict[str, Any]:
    return {"state": seen.state, "weight": seen.weight, "address": seen.address, "health": seen.health or None}
