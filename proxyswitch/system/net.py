"""Sockets: who listens where, which connections are open, and plain connects. TCP over IPv4 and IPv6, and unix sockets.

TCP sockets come from the kernel by netlink, or from /proc/net/tcp and tcp6; unix sockets from /proc/net/unix.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from proxyswitch.model import Endpoint
from proxyswitch.system import proc
from proxyswitch.system.clock import Deadline

if TYPE_CHECKING:  # this and ipaddress are imported where they are needed: `show` starts without them
    import socket

ESTABLISHED, LISTEN = 1, 10
PIECE = 1 << 16
MAPPED = bytes(10) + b"\xff\xff"  # an IPv4 address that an IPv6 socket carries
ANY4, ANY6 = "0.0.0.0", "::"  # noqa: S104  # read from the kernel's table, not bound


class Row(NamedTuple):
    """One TCP socket, addresses as text."""

    local: tuple[str, int]
    remote: tuple[str, int]
    inode: str


def _tcp_rows(state: int) -> Iterator[Row]:
    """The TCP sockets in that state: by netlink, else from the slower text tables."""
    from proxyswitch.system import sockdiag

    try:
        for row in sockdiag.rows(state):
            yield Row(_place(*row.local), _place(*row.remote), str(row.inode))
    except OSError:  # a sandbox without netlink
        yield from _text_rows(state)


def _text_rows(state: int) -> Iterator[Row]:
    for table in ("tcp", "tcp6"):
        for line in _lines(f"/proc/net/{table}"):
            words = line.split()
            if int(words[3], 16) == state:
                yield Row(_address(words[1]), _address(words[2]), words[9])


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="surrogateescape") as file:
            return file.read().splitlines()[1:]
    except OSError:
        return []


def _address(text: str) -> tuple[str, int]:
    """An address of the text tables: words in host order, in hexadecimal."""
    host, _, port = text.partition(":")
    packed = b"".join(bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8))
    return _place(packed, int(port, 16))


def _place(packed: bytes, port: int) -> tuple[str, int]:
    if packed[:12] == MAPPED:
        packed = packed[12:]
    if len(packed) == 4:
        return ".".join(map(str, packed)), port
    from ipaddress import IPv6Address

    return str(IPv6Address(packed)), port


def _plain(address: object) -> str:
    """An IPv4 address that an IPv6 socket carries is shown as IPv4."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def connections(endpoints: list[Endpoint], owners: Iterable[int] = ()) -> dict[Endpoint, int]:
    """How many established connections lead from this machine to each endpoint: their client side is counted.

    With `owners` only those of these processes, as far as we may look at their sockets; a unix socket does not tell whose
    it is.
    """
    hosts = {(host, e.port): e for e in endpoints if e.port for host in addresses(e.host)}
    counts = dict.fromkeys(endpoints, 0)
    rows = [row for row in _tcp_rows(ESTABLISHED) if row.remote in hosts] if hosts else []
    theirs = _sockets_of(owners) if rows else None
    for row in rows:
        counts[hosts[row.remote]] += theirs is None or f"socket:[{row.inode}]" in theirs
    for path in _unix_paths("01", "03") if any(e.path for e in endpoints) else ():
        if Endpoint(path=path) in counts:
            counts[Endpoint(path=path)] += 1
    return counts


def _sockets_of(pids: Iterable[int]) -> set[str] | None:
    """The sockets of these processes; None where there are none, or one that does not let us look."""
    found: set[str] = set()
    known = list(pids)
    for pid in known:
        try:
            found.update(proc.link(pid, f"fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return found if known else None


def _unix_paths(kind: str, state: str) -> Iterator[str]:
    """The paths of unix stream sockets in that state: 01 is a listener, 03 an accepted, connected one."""
    for line in _lines("/proc/net/unix"):
        words = line.split(maxsplit=7)
        if len(words) == 8 and words[4].endswith(kind) and words[5] == state:
            yield words[7]


def addresses(host: str) -> set[str]:
    """The addresses of a host name; one that is an address already costs no look-up, and unknown names are empty."""
    if host.replace(".", "").isdecimal():
        return {host}
    import socket
    from ipaddress import ip_address

    try:
        return {_plain(ip_address(host))}
    except ValueError:
        pass
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


def listeners(endpoint: Endpoint) -> list[int]:
    """The pids that listen at that endpoint. A socket that several hold (a master and its workers) gives them all.

    Processes of other users are only seen by root.
    """
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(endpoint)}
    return [pid for pid in proc.pids() if inodes and not inodes.isdisjoint(_open_files(pid))]


def _listening_inodes(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.path:
        yield from (inode for path, inode in unix_listeners() if path == endpoint.path)
        return
    hosts = addresses(endpoint.host)
    hosts |= {ANY6} if hosts and all(":" in host for host in hosts) else {ANY4, ANY6}
    for row in _tcp_rows(LISTEN):
        if row.local[1] == endpoint.port and row.local[0] in hosts:
            yield row.inode


def tcp_listeners() -> Iterator[tuple[tuple[str, int], str]]:
    """Each listening TCP socket: its address, and its inode."""
    return ((row.local, row.inode) for row in _tcp_rows(LISTEN))


def unix_listeners() -> Iterator[tuple[str, str]]:
    """Each listening unix socket: its path, and its inode."""
    for line in _lines("/proc/net/unix"):
        words = line.split(maxsplit=7)
        if len(words) == 8 and words[3] == "00010000":
            yield words[7], words[6]


def is_ours(host: str) -> bool:
    """True when that name or address is one of this machine."""
    import socket

    for address in addresses(host):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind((address, 0))
            except OSError:
                continue
            return True
    return False


def is_listening(endpoint: Endpoint) -> bool:
    """True when anything on this machine listens there, whoever owns it."""
    return next(_listening_inodes(endpoint), None) is not None


def _open_files(pid: int) -> Iterator[str]:
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            yield proc.link(pid, f"fd/{fd}")
    except OSError:
        return


def connect(endpoint: Endpoint, timeout: float) -> socket.socket:
    """A connected stream socket. `timeout` in seconds, for the connect and for each later read. Raises OSError."""
    import socket

    if not endpoint.path:
        return socket.create_connection((endpoint.host, endpoint.port), timeout)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(endpoint.path)
    except BaseException:
        sock.close()
        raise
    return sock


def try_connect(endpoint: Endpoint, timeout: float) -> socket.socket | None:
    """The same; None when the queue of a unix socket is full, for which connect(2) does not wait."""
    try:
        return connect(endpoint, timeout)
    except BlockingIOError:
        return None


def exchange(sock: socket.socket, data: bytes, deadline: Deadline, limit: int, *, half_close: bool = False) -> bytes:
    """Send `data`, then read until the other side closes or more than `limit` bytes have come, all before `deadline`.

    `half_close` tells the other side that no more will be sent. Raises OSError; TimeoutError when the time is up, however
    the bytes trickle in.
    """
    import socket

    _limit(sock, deadline)
    sock.sendall(data)
    if half_close:
        sock.shutdown(socket.SHUT_WR)
    answer = bytearray()
    while len(answer) <= limit:
        _limit(sock, deadline)
        piece = sock.recv(PIECE)
        if not piece:
            break
        answer += piece
    return bytes(answer)


def _limit(sock: socket.socket, deadline: Deadline) -> None:
    if deadline.over:  # a timeout of 0 would mean not to wait at all
        raise TimeoutError("timed out")
    sock.settimeout(max(deadline.left, 0.001))


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago, from the kernel."""
    import socket

    with socket.socket() as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])
