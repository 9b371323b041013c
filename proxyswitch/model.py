"""The words of the field as frozen values. Standard library only; nothing here reads or changes the world.

Small ones are named tuples, and the others have no slots: both save time at every start of the command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

HTTP_PORT = 80
MAX_PORT = 65535


class ServerState(StrEnum):
    """What a server line lets a proxy do: `ready` takes traffic, `drain` finishes what it has, `maint` is out."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


@dataclass(frozen=True)
class Endpoint:
    """Where an instance listens: `host` and `port`, or the `path` of a unix socket; none of them: the runner decides."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str, default_port: int = 0) -> Endpoint:
        """Read `127.0.0.1:3001`, `[::1]:3001`, `app.internal:3001` or `unix:/run/app.sock`.

        A missing port is an error unless `default_port` is given. Raises ValueError, which says what is wrong.
        """
        if text.startswith("unix:"):
            return cls._unix(text)
        host, port = _split_host(text)
        if not port and default_port:
            return cls(_host(host, text), default_port)
        return cls(_host(host, text), _port(port, text))

    @classmethod
    def _unix(cls, text: str) -> Endpoint:
        path = text.removeprefix("unix:")
        if path.startswith("//"):
            path = path[1:]
        if not path.startswith("/"):
            raise ValueError(f"{text!r}: a unix socket needs an absolute path, as unix:/run/app.sock")
        if set(path) & set(" ;{}\"'\\$\t\r\n#"):
            raise ValueError(f"{text!r}: the path of a unix socket must not contain spaces, quotes or any of ;{{}}$#")
        return cls(path=path)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        if not self.host:
            return "auto"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _split_host(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no address: an IPv6 address is written [::1]:3001")
        return f"[{host}]", rest[1:]
    host, _, port = text.partition(":")
    if ":" in port:
        raise ValueError(f"{text!r} is no address: put an IPv6 address in brackets, as [::1]:3001")
    return host, port


def _host(host: str, text: str) -> str:
    if host.startswith("["):
        from ipaddress import IPv6Address

        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError(f"{text!r}: {host[1:-1]!r} is no IPv6 address") from None
    if not host:
        raise ValueError(f"{text!r} is no address: the host is missing, as in 127.0.0.1:3001")
    if not all(c.isascii() and (c.isalnum() or c in "._-") for c in host):
        raise ValueError(f"{text!r} is no address: expected host:port, [ipv6]:port or unix:/path")
    if host.isdecimal():
        raise ValueError(f"{text!r} is no address: did you mean 127.0.0.1:{host}?")
    if host.replace(".", "").isdecimal() and not _is_ipv4(host):
        raise ValueError(f"{text!r}: {host!r} is no IPv4 address")
    return host.lower()


def _is_ipv4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(p.isdecimal() and int(p) <= 255 for p in parts)


def _port(port: str, text: str) -> int:
    if not port:
        raise ValueError(f"{text!r} is no address: the port is missing, as in {text.rstrip(':')}:3001")
    if not port.isascii() or not port.isdecimal():
        raise ValueError(f"{text!r}: {port!r} is no port number")
    if not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f"{text!r}: port {port} is out of range (1 to {MAX_PORT})")
    return int(port)


class Where(NamedTuple):
    """A place in a person's file; the line counts from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Server:
    """A server line of a pool. `params` are the parameters that we neither read nor change, in their order.

    `drain` tells how a server is out: it finishes what it has. A config only knows that it is out, so it does not count
    when two are compared. `slot` is blue or green in a pool in instant mode, where `weight` is the share of the slot.
    """

    address: str
    weight: int = 1
    down: bool = False
    backup: bool = False
    params: tuple[str, ...] = ()
    name: str = ""
    where: Where | None = field(default=None, compare=False)
    drain: bool = field(default=False, compare=False)
    slot: str = ""

    @property
    def endpoint(self) -> Endpoint | None:
        """The address as an endpoint; None where it is in a form that only the proxy understands."""
        try:
            return Endpoint.parse(*self._address())
        except ValueError:
            return None

    def _address(self) -> tuple[str, int]:
        """The address in our spelling, and the default port: HAProxy, whose servers have names, has none."""
        if not self.name:
            return self.address, HTTP_PORT
        kind, mark, plain = self.address.rpartition("@")
        if plain.startswith("/"):
            return f"unix:{plain}" if kind in ("", "unix") else "", 0
        host, _, port = plain.rpartition(":")
        plain = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else plain
        return plain if kind in ("", "ipv4", "ipv6") or not mark else "", 0

    @property
    def label(self) -> str:
        return self.name or self.address

    @property
    def live(self) -> bool:
        """True when the line takes ordinary traffic."""
        return not self.down and not self.backup

    @property
    def state(self) -> ServerState:
        if self.drain or "drain" in self.params:
            return ServerState.DRAIN
        return ServerState.MAINT if self.down else ServerState.READY

    def is_at(self, target: str) -> bool:
        """True when `target`, a server's name or an address, means this server."""
        return target in (self.label, self.address, self.slot or self.label) or _same_endpoint(self.endpoint, target)


def _same_endpoint(endpoint: Endpoint | None, target: str) -> bool:
    try:
        return endpoint is not None and endpoint == Endpoint.parse(target, HTTP_PORT)
    except ValueError:
        return False


def serving(proxy: str, servers: Iterable[Server]) -> tuple[Server, ...]:
    """Those that take ordinary traffic. HAProxy gives it to the first backup when no other server is in."""
    servers = tuple(servers)
    live = tuple(s for s in servers if s.live)
    return live or tuple(s for s in servers if proxy == "haproxy" and not s.down)[:1]


@dataclass(frozen=True)
class Pool:
    """An nginx upstream or an HAProxy backend. `context` is `http` or `stream`; `balancer` the directive that picks.

    `rising` is the slot that a canary moves clients to, in a pool in instant mode.
    """

    name: str
    proxy: str
    context: str
    servers: tuple[Server, ...]
    where: Where
    balancer: str = ""
    rising: str = ""

    @property
    def instant(self) -> bool:
        """True when a flag says which of its two slots serves: nothing is reloaded."""
        return any(s.slot for s in self.servers)

    @property
    def live(self) -> tuple[Server, ...]:
        return serving(self.proxy, self.servers)

    def find(self, target: str) -> tuple[Server, ...]:
        """The servers that `target`, a name or an address, means: none, one, or a line given twice."""
        return tuple(s for s in self.servers if s.is_at(target))


@dataclass(frozen=True)
class ServerChange:
    """What becomes of one server line. No `before`: it is added. No `after`: it is removed."""

    before: Server | None
    after: Server | None

    def inverse(self) -> ServerChange:
        return ServerChange(self.after, self.before)


@dataclass(frozen=True)
class PoolChange:
    """The change of one pool, as data that can be inverted, stored and shown.

    `kept` are servers that were meant too, and whose lines say so already: what runs may still be told.
    """

    pool: str
    servers: tuple[ServerChange, ...]
    kept: tuple[Server, ...] = ()

    @property
    def wanted(self) -> tuple[Server, ...]:
        """How every server is to be that this change speaks of."""
        return (*(c.after for c in self.servers if c.after), *self.kept)

    @property
    def names(self) -> set[str]:
        """Of every server that this change speaks of, as it was or is to be."""
        return {s.name for s in self.wanted} | {c.before.name for c in self.servers if c.before}

    def inverse(self) -> PoolChange:
        return PoolChange(self.pool, tuple(c.inverse() for c in reversed(self.servers)), self.kept)

    def then(self, later: PoolChange) -> PoolChange:
        """Both changes as one: what the first began with becomes what the later ended with."""
        pairs = list(self.servers)
        for change in later.servers:
            known = next((i for i, c in enumerate(pairs) if change.before and c.after == change.before), None)
            if known is None:
                pairs.append(change)
            else:
                pairs[known] = ServerChange(pairs[known].before, change.after)
        return PoolChange(self.pool, tuple(c for c in pairs if c.before != c.after), later.kept)

    def result(self, servers: Iterable[Server]) -> Counter[Server]:
        """What `servers` must be after this change: in their places, and behind them what is added."""
        todo: dict[Server | None, list[Server | None]] = {}
        for change in self.servers:
            todo.setdefault(change.before, []).append(change.after)
        rows = [todo[server].pop(0) if todo.get(server) else server for server in servers]
        return Counter(s for s in (*rows, *chain.from_iterable(todo.values())) if s)

    def fits(self, servers: Iterable[Server]) -> bool:
        """True when each server that this change starts from is there as it expects it."""
        missing = Counter(c.before for c in self.servers if c.before) - Counter(servers)
        return not missing


class Slot(NamedTuple):
    """A place where a version of an app can run: a name, and where it listens."""

    name: str
    endpoint: Endpoint


class ProcessId(NamedTuple):
    """A process that cannot be mistaken for a later one with the same pid: `start` is in clock ticks since boot."""

    pid: int
    start: int


class Health(StrEnum):
    """What a runner itself says of an instance; `unknown` where it does not look."""

    UNKNOWN = "unknown"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class Instance:
    """A version that runs in a slot.

    `process` is None where it cannot be seen from here (on another machine). `since` in seconds since 1970. `artefact` is
    what exactly runs, where a version's name alone could come to mean something else: the ID of an image. `endpoints` are
    where it listens, where the runner gives out the addresses.
    """

    slot: str
    version: str
    process: ProcessId | None
    since: float = 0.0
    log: str = ""
    ours: bool = True
    artefact: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    health: Health = Health.UNKNOWN

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None


class Problem(NamedTuple):
    """Something a person should know that stops nothing."""

    what: str
    next_step: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.next_step})" if self.next_step else self.what


def with_state(server: Server, state: ServerState) -> Server:
    """The server in that state, as a config line can say it: out of rotation is out; `drain` is for what runs."""
    return replace(server, down=state is not ServerState.READY, drain=state is ServerState.DRAIN)
