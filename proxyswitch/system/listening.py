"""Who listens where on this machine, read once: a look at each address by itself reads all of /proc each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from proxyswitch.model import Endpoint
from proxyswitch.system import net, proc

PREFIX = "socket:["


@dataclass(frozen=True)
class Table:
    """The listening sockets, and the processes that hold them as far as they may be seen."""

    tcp: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    unix: dict[str, list[str]] = field(default_factory=dict)
    holders: dict[str, list[int]] = field(default_factory=dict)

    def taken(self, endpoint: Endpoint) -> bool:
        """True when somebody listens there."""
        return bool(self._inodes(endpoint))

    def pids(self, endpoint: Endpoint) -> list[int]:
        """Who: of a master and its workers only the topmost. Empty where it may not be seen."""
        found = {pid for inode in self._inodes(endpoint) for pid in self.holders.get(inode, ())}
        return sorted(pid for pid in found if found.isdisjoint(proc.lineage(pid)[1:]))

    def _inodes(self, endpoint: Endpoint) -> list[str]:
        if endpoint.path:
            return self.unix.get(endpoint.path, [])
        hosts = net.addresses(endpoint.host)
        hosts |= {net.ANY6} if hosts and all(":" in host for host in hosts) else {net.ANY4, net.ANY6}
        return [inode for host in sorted(hosts) for inode in self.tcp.get((host, endpoint.port), ())]


def table() -> Table:
    """As it is now."""
    made = Table()
    for place, inode in net.tcp_listeners():
        made.tcp.setdefault(place, []).append(inode)
    for path, inode in net.unix_listeners():
        made.unix.setdefault(path, []).append(inode)
    wanted = {inode for inodes in (*made.tcp.values(), *made.unix.values()) for inode in inodes}
    for pid in proc.pids():
        for inode in _sockets(pid):
            if inode in wanted and pid not in made.holders.setdefault(inode, []):
                made.holders[inode].append(pid)
    return made


def _sockets(pid: int) -> Iterator[str]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        target = proc.link(pid, f"fd/{name}")
        if target.startswith(PREFIX):
            yield target[len(PREFIX) : -1]
