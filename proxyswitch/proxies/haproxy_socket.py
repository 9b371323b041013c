"""HAProxy's runtime API: look at servers and sessions, change a server at once, and talk to the master process.

Nothing here outlives a reload of HAProxy: what is to last belongs into the config as well. A change counts as made only
when HAProxy gives the very reply of success; whoever needs proof reads back with `servers` or `stat`.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint, ServerState
from proxyswitch.proxies.haproxy_channel import (
    DYNAMIC_SERVERS,
    TIMEOUT,
    Channel,
    Denied,
    SocketError,
    StillUsed,
    Unreachable,
    Unsupported,
    WorkerGone,
    message,
    needs,
    shown,
)
from proxyswitch.proxies.haproxy_replies import (
    Process,
    Processes,
    Sessions,
    Verdict,
    address_taken,
    info,
    level,
    places,
    processes,
    served,
    sessions,
    verdict,
    version,
)
from proxyswitch.proxies.haproxy_tables import ServerRow, Stat, number, servers, stats, whole
from proxyswitch.proxies.haproxy_words import ip_of, name, path, resolve, server_words

__all__ = [
    "Denied",
    "Master",
    "Process",
    "Processes",
    "Runtime",
    "ServerRow",
    "Sessions",
    "SocketError",
    "Stat",
    "StillUsed",
    "Unreachable",
    "Unsupported",
    "Verdict",
    "WorkerGone",
    "needs",
    "resolve",
]

MAX_WEIGHT = 256
RELOAD_TIMEOUT = 60.0


class Runtime:
    """The admin socket, or one worker through the master socket (`Master.worker`).

    Every method raises Unreachable, WorkerGone, Denied or SocketError, and UsageError for what can never be right, before
    anything is sent. `timeout` in seconds is for each whole exchange.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float = TIMEOUT, prefix: str = "") -> None:
        self.channel = Channel(endpoint, timeout=timeout, prefix=prefix)

    @property
    def seconds(self) -> float:
        """The time spent in exchanges so far."""
        return self.channel.seconds

    def ask(self, command: str) -> str:
        """The reply to one command, whatever it is: telling success from failure is the caller's."""
        return self.channel.ask(command)

    # look

    def info(self) -> dict[str, str]:
        """`show info`."""
        return self.channel.read("show info", info)

    def version(self) -> tuple[int, ...]:
        """The version of the running process, as (2, 6, 12)."""
        return self.channel.read("show info", lambda text: version(info(text)))

    def level(self) -> str:
        """What this socket may do: `user`, `operator` or `admin`."""
        return self.channel.read("show cli level", lambda text: level(message(whole(text))))

    def stats(self) -> list[Stat]:
        """All servers of `show stat`, by exact names."""
        return self.channel.read("show stat -1 4 -1", stats)  # 4: servers only

    def stat(self, backend: str, server: str) -> Stat | None:
        """One server of `show stat`; None when there is none of that name. It asks for that one only."""
        row = self.server(backend, server)
        if row is None:
            return None
        found = self.channel.read(f"show stat {row.backend_id} 4 {row.server_id}", stats)
        return next((s for s in found if (s.backend, s.server) == (backend, server)), None)

    def servers(self, backend: str = "") -> list[ServerRow]:
        """`show servers state`, of one backend or of all. A backend that is not there is a SocketError."""
        return self.channel.read(_state_of(backend), servers)

    def server(self, backend: str, server: str) -> ServerRow | None:
        """One server of `show servers state`; None when the backend has none of that name."""
        path(backend, server)
        return next((row for row in self.servers(backend) if row.server == server), None)

    def servers_text(self, backend: str = "") -> bytes:
        """`show servers state` as a state file holds it: whole, checked, and ending with a line end."""
        command = _state_of(backend)
        reply = self.channel.ask_bytes(command)
        try:
            servers(reply.decode("ascii"))
        except ValueError as problem:
            raise self.channel.failed(command, f"{problem}; it answered {shown(reply.decode(errors='replace'))}") from None
        return reply.rstrip(b"\n") + b"\n"

    def sessions(self, backend: str, server: str) -> Sessions:
        """The sessions that this very server works on (`show sess`, which needs `level operator`)."""
        path(backend, server)
        return self.channel.read("show sess", lambda text: sessions(text, backend, server))

    def loose(self) -> int:
        """How many client connections have no server yet: idle, in the midst of a request's head, or in a queue."""
        text = self.ask("show sess")  # first: who comes in between counts
        connections = self.channel.read("show info", lambda text: number(info(text).get("CurrConns", "")))
        try:
            return max(0, connections - len(served(text)))
        except ValueError as problem:
            raise self.channel.failed("show sess", f"{problem}; it answered {shown(text)}") from None

    def places(self) -> list[tuple[str, str, Endpoint]]:
        """Backend, server and IP address of each session that has a connection to a server (`show sess all`).

        After a change of its address a server has sessions at both.
        """
        return self.channel.read("show sess all", places)

    # change a server

    def set_state(self, backend: str, server: str, state: ServerState) -> None:
        """`set server … state`. A server that becomes ready after maintenance gets traffic at once, before any check."""
        self._silent(f"set server {path(backend, server)} state {ServerState(state)}")

    def set_weight(self, backend: str, server: str, weight: int) -> None:
        """`set server … weight`, absolute, 0 to 256. Backends with a static algorithm refuse it."""
        if type(weight) is not int or not 0 <= weight <= MAX_WEIGHT:
            raise UsageError(f"weight {weight!r} is out of range (0 to {MAX_WEIGHT})")
        self._silent(f"set server {path(backend, server)} weight {weight}")

    def set_address(self, backend: str, server: str, endpoint: Endpoint) -> None:
        """`set server … addr … port`. The host must be an IP address (`resolve` finds it), the port 1 to 65535.

        HAProxy itself would take port 99999 and use 34463.
        """
        ip, port = ip_of(endpoint), endpoint.port
        taken = address_taken(ip, port)
        self.channel.tell(f"set server {path(backend, server)} addr {ip} port {port}", lambda text: taken(message(text)))

    def shutdown_sessions(self, backend: str, server: str) -> None:
        """Cut all sessions of the server: `shutdown sessions server`. Their clients see an error."""
        self._silent(f"shutdown sessions server {path(backend, server)}")

    def shutdown_each(self, backend: str, server: str) -> None:
        """The same one by one: an old worker knows `shutdown session`, and refuses every command about a server."""
        for session in self.sessions(backend, server).ids:
            self.channel.tell(f"shutdown session {session}", _is_gone)

    # servers that the config does not have

    def add_server(self, backend: str, server: str, address: str, keywords: Sequence[str] = ()) -> None:
        """`add server`, from HAProxy 2.6 on. `address` is an IP address with a port, or `unix:/path`.

        HAProxy leaves it in maintenance, and its checks off: `enable_health`, then `set_state(…, READY)`. The backend
        needs a dynamic algorithm such as roundrobin or leastconn. It is gone after a reload.
        """
        command = f"add server {path(backend, server)} {server_words(address, keywords)}"
        needs(DYNAMIC_SERVERS, self.version())
        self._last_line(command, "New server registered.")

    def del_server(self, backend: str, server: str) -> None:
        """`del server`, from HAProxy 2.6 on. It must be in maintenance; raises StillUsed while connections hold it."""
        command = f"del server {path(backend, server)}"
        needs(DYNAMIC_SERVERS, self.version())
        self._last_line(command, "Server deleted.")

    def enable_health(self, backend: str, server: str) -> None:
        """Start the health checks of a server that has `check`: those of an added server are off at first."""
        self._silent(f"enable health {path(backend, server)}")

    def set_health_up(self, backend: str, server: str) -> None:
        """`set server … health up`: it gets traffic at once, until its next check fails."""
        self._silent(f"set server {path(backend, server)} health up")

    def enable_agent(self, backend: str, server: str) -> None:
        """The same for `agent-check`."""
        self._silent(f"enable agent {path(backend, server)}")

    def _silent(self, command: str) -> None:
        """A command that answers with an empty line, and nothing else, when it has been done."""
        self.channel.tell(command, "\n".__eq__)

    def _last_line(self, command: str, success: str) -> None:
        """A command whose last line says that it was done; warnings may stand before it."""
        self.channel.tell(command, lambda text: message(text.strip().rpartition("\n")[2]) == success)


class Master:
    """The master socket (`haproxy -W -S …`). It refuses connections for a moment in each reload: Unreachable."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = TIMEOUT) -> None:
        self.channel = Channel(endpoint, timeout=timeout, master=True)

    @property
    def seconds(self) -> float:
        """The time spent in exchanges so far, those of the workers not counted."""
        return self.channel.seconds

    def ask(self, command: str) -> str:
        """The master's reply to one command."""
        return self.channel.ask(command)

    def level(self) -> str:
        """What this socket may do: `user`, `operator` or `admin`."""
        return self.channel.read("show cli level", lambda text: level(message(whole(text))))

    def processes(self) -> Processes:
        """`show proc`: the master, its workers, and the old workers that still finish what they have."""
        return self.channel.read("show proc", processes)

    def worker(self, pid: int) -> Runtime:
        """The runtime API of one worker, an old one too. It raises WorkerGone once that has ended."""
        return Runtime(self.channel.endpoint, timeout=self.channel.timeout, prefix=f"@!{int(pid)} ")

    def current(self) -> Runtime:
        """The runtime API of the newest worker, whichever that is at each command."""
        return Runtime(self.channel.endpoint, timeout=self.channel.timeout, prefix="@1 ")

    def reload(self, *, timeout: float = RELOAD_TIMEOUT) -> Verdict:
        """`reload`. Before 2.7 HAProxy does not say how it ended: compare `processes` before and after.

        From 2.7 on the answer comes when the new worker has loaded or failed; `timeout` in seconds is for that.
        """
        reply = self.channel.exchange("reload", timeout).decode("utf-8", "replace")
        if message(reply) == "Permission denied":
            raise self.channel.denied("reload")
        try:
            return verdict(reply)
        except ValueError:
            raise self.channel.refused("reload", reply) from None


def _is_gone(text: str) -> bool:
    return not message(text) or message(text).startswith("No such session ")


def _state_of(backend: str) -> str:
    return f"show servers state {name(backend, 'backend')}" if backend else "show servers state"
