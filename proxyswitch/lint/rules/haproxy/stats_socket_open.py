"""A stats socket is open to others: whoever reaches it commands HAProxy, there is no password.

At level admin anybody who may write to it can stop servers. A file should have mode 660 or less and a group; an address
should be of this machine. Level user, which only reads, is not judged.

FAIL
    global
        stats socket /run/haproxy/admin.sock mode 666 level admin

FAIL
    global
        stats socket *:9999 level admin

PASS
    global
        stats socket /run/haproxy/admin.sock user root group haproxy mode 660 level admin
        stats socket 127.0.0.1:9999 level operator
        stats socket /run/haproxy/read.sock mode 666 level user
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.sockets import Socket, sockets

ID = "haproxy/stats-socket-open"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for socket in sockets(config):
        if not socket.plain or socket.level == "user":
            continue
        for address in socket.addresses:
            if address.local is False:
                yield socket.row.found(f"{address} takes commands of level {socket.level} from the network", word=2)
            elif address.kind == "unix" and socket.level == "admin" and _for_others(socket):
                what = f"mode {socket.mode}: every user of this machine may command HAProxy; write mode 660"
                yield socket.row.found(what, word=2)


def _for_others(socket: Socket) -> bool:
    """Whether others may write to it."""
    return socket.mode[-1:] in ("2", "3", "6", "7")
