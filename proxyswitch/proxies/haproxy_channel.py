"""One command to HAProxy's runtime API and its whole reply, in bounded time; and the errors of that conversation.

Each command gets a connection of its own: of several joined by `;` the later ones run although an earlier one failed, and
their replies cannot be told apart (HAProxy management guide, section 9.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from proxyswitch import durations, polling
from proxyswitch.errors import NOTHING_CHANGED, Failed, UsageError
from proxyswitch.model import Endpoint
from proxyswitch.proxies.haproxy_replies import LEVELS
from proxyswitch.system import clock, net

T = TypeVar("T")

TIMEOUT = 5.0
LIMIT = 64 << 20
SHOWN = 200
UNKNOWN = "it is not known whether HAProxy did it: look with `{}`"
# `severity-output` on the `stats socket` line puts this before every message, never before what `show` prints
_SEVERITY = re.compile(r"\A\[(?:[a-z]+|\d)\]: ")
# how a complete reply begins when HAProxy has refused a command and changed nothing
REFUSALS = (
    "'",
    "Absolute weight ",
    "Agent was not configured ",
    "Already exists a server ",
    "Backend is using a static LB algorithm ",
    "Backend must use a dynamic load balancing ",
    "Empty weight string ",
    "Health check was not configured ",
    "Invalid addr ",
    "No such backend.",
    "No such server.",
    "Only servers in maintenance mode can be deleted.",
    "Relative weight ",
    "Server still has connections attached to it",
    "This command is restricted ",
    "Unknown command",
    "Update for the current server address family ",
    "Update to families other than ",
    "invalid port ",
    "unknown keyword ",
)
# what came with which version (HAProxy's CHANGELOG and management guide); 2.5 had dynamic servers as an experiment only
FEATURES: dict[str, tuple[int, ...]] = {
    "dynamic servers (`add server`, `del server`)": (2, 6),
    "a verdict of the master's `reload`": (2, 7),
    "`wait`": (3, 0),
    "`init-state`": (3, 1),
}
DYNAMIC_SERVERS, RELOAD_VERDICT, WAIT, INIT_STATE = FEATURES


class SocketError(Failed):
    """Exit 3: no answer from the runtime API, or one that is not what the command answers when it has done its work."""


class Unreachable(SocketError):
    """No connection. A master socket is like that for some 50 ms (500 ms on some versions) in each reload."""


class WorkerGone(SocketError):
    """The master socket knows no worker of that number: it has ended, or has not started yet."""


class StillUsed(SocketError):
    """A server cannot be deleted yet: connections are attached to it."""


class Denied(UsageError):
    """Exit 2: the level of the socket does not allow the command."""


class Unsupported(UsageError):
    """Exit 2: this version of HAProxy does not have it yet."""


def needs(feature: str, version: tuple[int, ...]) -> None:
    """Raise Unsupported when that version of HAProxy lacks `feature`, a key of FEATURES."""
    first = FEATURES[feature]
    if version < first:
        what = f"HAProxy {_dotted(version)} has no {feature}; it needs {_dotted(first)}"
        raise Unsupported(what, next_step=f"use HAProxy {_dotted(first)} or later, or do it by a change of the config")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def message(text: str) -> str:
    """A short reply without its severity and its line ends."""
    return _SEVERITY.sub("", text.strip(), count=1)


def shown(text: str) -> str:
    """A reply as a person should see it: its first words on one line, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * SHOWN]).split())
    if not line:
        return "an empty line"
    return f'"{line[:SHOWN]}{"…" if len(line) > SHOWN else ""}"'


class Channel:
    """A socket of the runtime API. `prefix` (as `@!1234 `) leads through the master socket to one worker.

    `timeout` in seconds is for a whole exchange: connect, send, and all of the reply. `seconds` adds up the exchanges.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float = TIMEOUT, prefix: str = "", master: bool = False) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self.prefix = prefix
        self.master = master or bool(prefix)
        self.seconds = 0.0

    @property
    def place(self) -> str:
        """Which socket, and which worker, for messages."""
        worker = self.prefix.strip().lstrip("@!")
        return (self.endpoint.path or str(self.endpoint)) + (f" (worker {worker})" if worker else "")

    def ask(self, command: str) -> str:
        """The reply to one command, decoded; bytes that are no UTF-8 are replaced.

        Raises UsageError for more than one command, Unreachable, WorkerGone, Denied, SocketError.
        """
        return self.ask_bytes(command).decode("utf-8", "replace")

    def ask_bytes(self, command: str) -> bytes:
        """The same, as it came."""
        reply = self.exchange(command)
        if not reply:
            raise self.failed(command, "the connection was closed without an answer")
        start = message(reply[:SHOWN].decode("utf-8", "replace"))
        if start == "Permission denied":
            raise self.denied(command)
        if self.prefix and start.startswith("Can't find the target PID"):
            raise WorkerGone(f"{self.place}: `{command}`: there is no such worker", state=NOTHING_CHANGED)
        return reply

    def read(self, command: str, parse: Callable[[str], T]) -> T:
        """Ask, and let `parse` read the reply; its ValueError becomes a SocketError that shows the reply."""
        text = self.ask(command)
        try:
            return parse(text)
        except ValueError as problem:
            raise self.failed(command, f"{problem}; it answered {shown(text)}") from None

    def tell(self, command: str, done: Callable[[str], bool]) -> None:
        """Ask for a change; a reply that is not `done` is an error that shows it."""
        text = self.ask(command)
        if not (text.endswith("\n") and done(text)):
            raise self.refused(command, text)

    def exchange(self, command: str, timeout: float | None = None) -> bytes:
        """The reply as it came, nothing at all included. Raises UsageError, Unreachable, SocketError."""
        _check(command)
        began = clock.now()
        seconds = self.timeout if timeout is None else timeout
        try:
            reply = self._exchange(command, clock.Deadline.after(seconds))
        except TimeoutError as error:
            raise self.failed(command, f"no complete answer within {durations.show(seconds)}") from error
        finally:
            self.seconds += clock.now() - began
        if len(reply) > LIMIT:
            raise self.failed(command, f"the answer is longer than {LIMIT >> 20} MiB")
        return reply

    def _exchange(self, command: str, deadline: clock.Deadline) -> bytes:
        try:
            # a unix socket with a full queue does not make us wait by itself
            sock = polling.until(lambda: net.try_connect(self.endpoint, max(deadline.left, 0.001)), deadline.left)
            if sock is None:
                raise TimeoutError
        except OSError as error:
            raise self._unreachable(command, error) from error
        line = f"{self.prefix}{command}\n".encode()
        try:
            with sock:  # a master waits for further commands until the write side is shut down
                return net.exchange(sock, line, deadline, LIMIT, half_close=self.master)
        except TimeoutError:
            raise
        except OSError as error:
            raise self.failed(command, f"the connection broke: {error.strerror or error}") from error

    # errors

    def failed(self, command: str, problem: str) -> SocketError:
        """The error for a reply that proves nothing."""
        look = "show proc" if self.master and not self.prefix else f"{self.prefix}show info"
        step = f"see whether HAProxy is well: echo '{look}' | socat - {self._socat()}"
        return SocketError(f"{self.place}: `{command}`: {problem}", state=_state(command), next_step=step)

    def refused(self, command: str, text: str) -> SocketError:
        """The error for a change that HAProxy did not make, or of which it is not known."""
        whole = text.endswith("\n")
        known = whole and message(text).startswith(REFUSALS)
        what = f"{self.place}: `{command}`: HAProxy {'refuses:' if known else 'answered'} {shown(message(text))}"
        kind = StillUsed if "still has connections attached" in text else SocketError
        return kind(what, state=NOTHING_CHANGED if known else _state(command))

    def denied(self, command: str) -> Denied:
        """The error for `Permission denied`, with the level that this socket has."""
        needed = "operator" if command.startswith("show ") or command == "reload" else "admin"
        words = " ".join(command.split()[:2])
        step = f"put `level {needed}` on its `stats socket` line, or name another socket"
        if self.master:
            step = f"start HAProxy with `-S {self.endpoint.path},level,{needed}`, or name another socket"
        return Denied(f"{self.place} has `level {self._level()}`; `{words}` needs `level {needed}`", next_step=step)

    def _level(self) -> str:
        try:
            found = message(self.exchange("show cli level").decode("utf-8", "replace"))
        except SocketError:
            return "?"
        return found if found in LEVELS else "?"

    def _unreachable(self, command: str, error: OSError) -> Unreachable:
        problem, step = self._why(error)
        return Unreachable(f"{self.place}: {problem} (for `{command}`)", state=NOTHING_CHANGED, next_step=step)

    def _why(self, error: OSError) -> tuple[str, str]:
        """What is wrong with the socket, and what to do about it."""
        if isinstance(error, FileNotFoundError):
            return "there is no such socket", f"see whether HAProxy runs; {self._offer()}, or name the socket it has"
        if isinstance(error, PermissionError):
            return "this user may not connect to it", "run it as a user who may: root, or one of the socket's group"
        if isinstance(error, ConnectionRefusedError):
            return "nobody listens there", "start HAProxy, or name the socket that it listens on"
        if isinstance(error, TimeoutError):
            return f"no connection within {durations.show(self.timeout)}", "see whether HAProxy is stuck or overloaded"
        return f"cannot connect: {error.strerror or error}", "name the socket of HAProxy's runtime API"

    def _offer(self) -> str:
        path = self.endpoint.path
        if self.master:
            return f"start it with `-S {path}`"
        return f"add `stats socket {path} mode 600 level admin` to its global section"

    def _socat(self) -> str:
        return f"UNIX-CONNECT:{self.endpoint.path}" if self.endpoint.path else f"TCP:{self.endpoint}"


def _state(command: str) -> str:
    """How things are after a command without a reply that says so."""
    if command.startswith("show "):
        return NOTHING_CHANGED
    return UNKNOWN.format("show proc" if command == "reload" else "show servers state")


def _check(command: str) -> None:
    """Refuse what would be more than one command, or half of one."""
    if not command.strip() or not command.isascii() or not command.isprintable() or set(command) & set(";\\<"):
        raise UsageError(
            f"{command!r} is not one command of HAProxy's runtime API", next_step="send one at a time, without ;"
        )
