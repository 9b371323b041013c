"""What was seen of the machine, as data without secrets: no environment, and command lines without what looks like one."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxyswitch.model import Endpoint, Pool


@dataclass(frozen=True)
class Unit:
    """A service of systemd: its name without `.service` (of a template with its instance, `web@blue`), its file, the ports
    that stand there, and whether it can be reloaded; no path where the file is not among those that a person writes."""

    name: str
    scope: str = "system"
    path: str = ""
    ports: tuple[int, ...] = ()
    reloads: bool = False


@dataclass(frozen=True)
class Pm2App:
    """An app of PM2, without its environment but for the port. `waits`: PM2 waits until a new process says ready."""

    name: str
    mode: str = ""
    port: int = 0
    script: str = ""
    cwd: str = ""
    home: str = ""
    user: str = ""
    pids: tuple[int, ...] = ()
    waits: bool = False


@dataclass(frozen=True)
class EcosystemApp:
    """An app of an ecosystem file."""

    name: str
    path: str
    port: int = 0


@dataclass(frozen=True)
class Service:
    """A service of a compose file, or of a swarm: what it publishes, and from which image it runs."""

    name: str
    ports: tuple[int, ...] = ()
    files: tuple[str, ...] = ()
    image: str = ""
    project: str = ""
    swarm: bool = False


@dataclass(frozen=True)
class Release:
    """The link that leads to the release in whose folder a process runs, and the folder, with {version} in it. `through`:
    it was started through the link, so what it starts itself follows that."""

    current: str
    folder: str
    through: bool = False


@dataclass(frozen=True)
class Listener:
    """Who listens at an address. `pid` is 0 where it may not be seen. `words` are the command; none for a title."""

    endpoint: Endpoint
    pid: int = 0
    title: str = ""
    words: tuple[str, ...] = ()
    masked: bool = False
    cwd: str = ""
    user: str = ""
    unit: Unit | None = None
    pm2: Pm2App | None = None
    release: Release | None = None


@dataclass(frozen=True)
class Asked:
    """What a live instance answered to a GET: the path, the status (None: none came), and that in words."""

    path: str
    status: int | None
    healthy: bool
    reason: str


@dataclass(frozen=True)
class ProxySeen:
    """A proxy: its config files and socket, where they must be named for it to be found again; its pools."""

    name: str
    conf: tuple[str, ...]
    why: str = ""
    socket: str = ""
    running: bool = False
    pools: tuple[Pool, ...] = ()


@dataclass(frozen=True)
class Seen:
    """Everything. `remote` are the hosts that are not this machine; `free` a free port near that of an endpoint."""

    proxies: tuple[ProxySeen, ...] = ()
    listeners: tuple[Listener, ...] = ()
    units: tuple[Unit, ...] = ()
    services: tuple[Service, ...] = ()
    ecosystem: tuple[EcosystemApp, ...] = ()
    asked: dict[Endpoint, tuple[Asked, ...]] = field(default_factory=dict)
    remote: frozenset[str] = frozenset()
    free: dict[Endpoint, Endpoint] = field(default_factory=dict)
    root: bool = False
    notes: tuple[str, ...] = ()

    def listener(self, endpoint: Endpoint) -> Listener | None:
        return next((one for one in self.listeners if one.endpoint == endpoint), None)

    def service(self, endpoint: Endpoint, *, swarm: bool) -> Service | None:
        return next((s for s in self.services if s.swarm == swarm and endpoint.port and endpoint.port in s.ports), None)
