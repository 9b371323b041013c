"""Is an instance healthy: one try, wait until it is, watch that it stays so.

A try has one deadline for everything that it does, and a failing server is an answer, never an exception.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from proxyswitch import durations
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Slot
from proxyswitch.polling import Report, silent, until
from proxyswitch.system import clock, net
from proxyswitch.system.clock import Deadline

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from proxyswitch.settings import Health

Alive = Callable[[], str | None]

REPORT_EVERY = 10.0
BODY_LIMIT = 1 << 20
BAD_ANSWERS = 2  # of a watched instance, in a row: one alone may be a hiccup
SHORTEST_PAUSE = 0.01
EXAMPLES = "http://127.0.0.1:3001/health, https://…, tcp://127.0.0.1:3001 or unix:///run/app.sock:/health"


@dataclass(frozen=True, slots=True)
class Check:
    """What to ask and which answer is healthy. `timeout` is for a whole try; `host` is the Host header and TLS name."""

    url: str
    statuses: frozenset[int] = frozenset({200})
    body: str = ""
    json: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    timeout: float = 2.0
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try ended, with the reason in words; `status` is None when no HTTP status came."""

    healthy: bool
    reason: str
    seconds: float
    status: int | None = None


class NeverHealthy(Failed):
    """Exit 3: it did not become healthy in time."""


class Died(Failed):
    """Exit 3: the instance ended while it was waited for or watched."""


class TurnedUnhealthy(Failed):
    """Exit 3: a watched instance no longer answers as it should."""


def unwatched() -> str | None:
    """The `alive` of something whose process we do not know."""
    return None


# --- from settings or words to a check


def check_for(health: Health, slot: Slot, version: str) -> Check:
    """The check of that slot, placeholders filled in. Raises UsageError when the outcome cannot be asked."""
    from proxyswitch.settings import statuses

    fill = _filler(slot, version)
    check = Check(
        url=fill(_unix_url(health.url, slot.endpoint)),
        statuses=statuses(health.status),
        body=fill(health.body),
        json=_fill_tree(health.json, fill),
        headers={name: fill(value) for name, value in health.headers.items()},
        host=fill(health.host),
        timeout=float(health.timeout),
        insecure=health.insecure,
    )
    _target(check)
    return check


def _filler(slot: Slot, version: str) -> Callable[[str], str]:
    at = slot.endpoint
    words = {
        "version": version,
        "slot": slot.name,
        "address": str(at),
        "host": at.host,
        "port": str(at.port) if at.port else "",
    }
    # One pass: a version that looks like a placeholder is not filled in again.
    pattern = re.compile(r"\{(" + "|".join(words) + r")\}")
    return lambda text: pattern.sub(lambda found: words[found[1]], text)


def _fill_tree(tree: Any, fill: Callable[[str], str]) -> Any:
    if isinstance(tree, Mapping):
        return {key: _fill_tree(value, fill) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_fill_tree(value, fill) for value in tree]
    return fill(tree) if isinstance(tree, str) else tree


def _unix_url(url: str, endpoint: Endpoint) -> str:
    """`http://{address}/path` of a slot on a unix socket: where its path ends would be a guess later."""
    before, address, path = url.partition("http://{address}")
    if not endpoint.path or before or not address:
        return url
    socket = f"unix://{endpoint.path}"
    return f"{socket}:/{path.removeprefix('/')}" if path else socket


def parse_target(text: str) -> Check:
    """The check that a word on the command line means; an address alone means a connect. Raises UsageError."""
    check = Check(text)
    if "://" not in text:
        if text.startswith("unix:") and ":/" in text.removeprefix("unix:"):
            raise _bad(text, f"HTTP over a unix socket is written unix://{text.removeprefix('unix:')}")
        check = Check(f"tcp://{_read(Endpoint.parse, text, text)}")
    _target(check)
    return check


# --- what a check's url means


class Target(NamedTuple):
    """A url taken apart. `scheme` is http, https or tcp; `authority` what the Host header says."""

    scheme: str
    endpoint: Endpoint
    authority: str = ""
    path: str = ""


def _target(check: Check) -> Target:
    """Where the check leads. Raises UsageError when it cannot be sent at all: to try again would not help."""
    scheme, colon, rest = check.url.partition("://")
    reader = _READERS.get(scheme.lower())
    if not colon or not reader:
        raise _bad(check.url, "it must begin with http://, https://, tcp:// or unix://")
    if re.search(r"[\x00-\x20\x7f]", check.url):
        raise _bad(check.url, "it must not contain spaces or control characters")
    target: Target = _read(reader, rest, check.url)
    for problem in _unsendable(check, target):
        raise _bad(check.url, problem)
    return target


def _read(reader: Callable[[str], Any], text: str, shown: str) -> Any:
    try:
        return reader(text)
    except ValueError as error:
        raise _bad(shown, str(error)) from None


def _bad(text: str, why: str) -> UsageError:
    return UsageError(f"cannot check {text!r}: {why}", next_step=f"write it as {EXAMPLES}")


def _unsendable(check: Check, target: Target) -> Iterator[str]:
    if target.scheme == "tcp" and (check.body or check.json or check.headers or check.host):
        yield "tcp:// only connects: body, json, headers and host need http:// or https://"
    for name, value in check.headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\x00]", value):
            yield f"the header {name!r} is not one that HTTP can send"
    if not _is_name(target.endpoint.host):
        yield f"{target.endpoint.host!r} is no host name"
    if check.host:
        try:
            fine = _is_name(Endpoint.parse(check.host, 1).host)
        except ValueError:
            fine = False
        if not fine:
            yield f"the host {check.host!r} is no host name"


def _is_name(host: str) -> bool:
    """False for what neither a resolver nor TLS takes as a name: they raise on an empty or an endless label."""
    return not host or all(1 <= len(label) <= 63 for label in host.removesuffix(".").split("."))


def _http_target(rest: str, scheme: str = "http", port: int = 80) -> Target:
    rest = rest.partition("#")[0]
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise ValueError("a user name or password does not belong into it: send an Authorization header")
    if authority.startswith("unix:"):
        raise ValueError(f"{scheme} over a unix socket is written unix:///run/app.sock:/path, without TLS")
    return Target(scheme, Endpoint.parse(authority, port), authority, _path(rest[len(authority) :]))


def _https_target(rest: str) -> Target:
    return _http_target(rest, "https", 443)


def _tcp_target(rest: str) -> Target:
    return Target("tcp", Endpoint.parse(rest))


def _unix_target(rest: str) -> Target:
    socket, _, path = rest.partition(":/")
    if not socket.startswith("/") or socket.endswith(":"):
        raise ValueError("a unix socket needs an absolute path, as unix:///run/app.sock or unix:///run/app.sock:/path")
    return Target("http", Endpoint.parse(f"unix:{socket}"), "localhost", _path(path.partition("#")[0]))


_READERS: dict[str, Callable[[str], Target]] = {
    "http": _http_target,
    "https": _https_target,
    "tcp": _tcp_target,
    "unix": _unix_target,
}


def _path(text: str) -> str:
    from urllib.parse import quote

    path = "/" + text.removeprefix("/")
    return "".join(c if c.isascii() else quote(c) for c in path)


# --- one try


def probe(check: Check) -> Answer:
    """One try. Raises UsageError when the check itself cannot be sent, nothing else."""
    target = _target(check)
    begun = clock.now()
    status, fault = _try(check, target, Deadline.after(check.timeout))
    fine = f"status {status}" if status else "it accepts connections"
    return Answer(not fault, fault or fine, clock.now() - begun, status)


def _try(check: Check, target: Target, deadline: Deadline) -> tuple[int | None, str]:
    """The status, and what is wrong; an empty text when nothing is."""
    try:
        with _connect(target.endpoint, deadline) as sock:
            return (None, "") if target.scheme == "tcp" else _ask(check, target, sock, deadline)
    except TimeoutError:
        return None, f"no answer within {durations.show(check.timeout)}"
    except OSError as error:
        return None, _in_words(error, target.endpoint)


class _Socket(Protocol):
    def settimeout(self, value: float | None, /) -> None: ...
    def recv_into(self, buffer: Any, /) -> int: ...
    def sendall(self, data: Any, /) -> None: ...


def _left(deadline: Deadline) -> float:
    """Seconds for the next step. A time-out of 0 would mean "do not block", so it is never given to a socket."""
    if deadline.over:
        raise TimeoutError
    return max(deadline.left, 0.001)


def _connect(endpoint: Endpoint, deadline: Deadline) -> Any:
    """A connected socket. Each address of a name gets its share of the time, so that one black hole hides no other."""
    if endpoint.path:
        return net.connect(endpoint, _left(deadline))
    known = sorted(net.addresses(endpoint.host))
    first: OSError = OSError(f"there is no address for the name {endpoint.host!r}")
    for tried, address in enumerate(known):
        try:
            return net.connect(Endpoint(address, endpoint.port), _left(deadline) / (len(known) - tried))
        except OSError as error:
            first = error if tried == 0 else first
    raise first


class _Reader(io.RawIOBase):
    """Reads with what is left of the deadline: a server that trickles bytes cannot stretch it."""

    def __init__(self, sock: _Socket, deadline: Deadline) -> None:
        self.sock, self.deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self.sock.settimeout(_left(self.deadline))
        return self.sock.recv_into(buffer)


class _Wire:
    """As much of a socket as http.client needs. Whoever opened the socket closes it."""

    def __init__(self, sock: _Socket, deadline: Deadline) -> None:
        self.sock, self.deadline = sock, deadline

    def sendall(self, data: Any) -> None:
        self.sock.settimeout(_left(self.deadline))
        self.sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self.sock, self.deadline))

    def close(self) -> None:
        pass


def _ask(check: Check, target: Target, sock: Any, deadline: Deadline) -> tuple[int | None, str]:
    if target.scheme == "http":
        return _exchange(check, target, _Wire(sock, deadline))
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if check.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    name = Endpoint.parse(check.host, 1).host if check.host else target.endpoint.host
    sock.settimeout(_left(deadline))
    with context.wrap_socket(sock, server_hostname=name) as tls:
        return _exchange(check, target, _Wire(tls, deadline))


def _exchange(check: Check, target: Target, wire: _Wire) -> tuple[int | None, str]:
    from http.client import HTTPConnection, HTTPException, RemoteDisconnected

    connection = HTTPConnection("localhost")  # the name is not used: the wire is there, and the Host header is ours
    connection.sock = wire
    try:
        connection.request("GET", target.path, headers=_headers(check, target))
        response = connection.getresponse()
    except RemoteDisconnected:
        return None, "the connection was closed without an answer"
    except HTTPException as error:
        return None, _not_http(error)
    with response:
        return response.status, _fault(check, response)


def _headers(check: Check, target: Target) -> dict[str, bytes]:
    ours = {
        "Host": target.authority,
        "User-Agent": "proxyswitch",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    sent: dict[str, tuple[str, str]] = {}
    for name, value in [*ours.items(), *check.headers.items(), *([("Host", check.host)] if check.host else [])]:
        sent[name.lower()] = (name, value)
    return {name: value.encode() for name, value in sent.values()}


def _in_words(error: OSError, endpoint: Endpoint) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was reset"
    if isinstance(error, FileNotFoundError):
        return f"there is no socket at {endpoint.path}"
    if isinstance(error, PermissionError):
        return f"no permission to connect to {endpoint}"
    return _tls_words(error) or (error.strerror or str(error)).lower()


def _tls_words(error: OSError) -> str:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message.rstrip('.')}"
    if not isinstance(error, ssl.SSLError):
        return ""
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "the server does not speak TLS (is it http://?)"
    if isinstance(error, ssl.SSLEOFError):
        return "the server closed the connection during the TLS handshake"
    return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _not_http(error: Exception) -> str:
    line = str(getattr(error, "line", ""))
    # A TLS record begins with its kind (alert 0x15, handshake 0x16) and version 3.x.
    if line.strip("'").startswith(("\x15\x03", "\\x15\\x03", "\x16\x03", "\\x16\\x03")):
        return "the answer is not HTTP but TLS (is it https://?)"
    return "the answer is not HTTP"


# --- is the answer the one that was wanted


def _fault(check: Check, response: HTTPResponse) -> str:
    from http.client import HTTPException

    if response.status not in check.statuses:
        return f"status {response.status}, expected {_ranges(check.statuses)}"
    try:
        data = response.read(BODY_LIMIT)
    except TimeoutError:
        return f"the answer was not complete within {durations.show(check.timeout)}"
    except (HTTPException, ConnectionError):
        return "the answer was cut off"
    if response.length and len(data) < BODY_LIMIT:
        return "the answer was cut off"
    return _body_fault(check, data)


def _ranges(statuses: frozenset[int]) -> str:
    """`200-299, 304`."""
    rows: list[list[int]] = []
    for status in sorted(statuses):
        if rows and status == rows[-1][1] + 1:
            rows[-1][1] = status
        else:
            rows.append([status, status])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in rows)


def _body_fault(check: Check, data: bytes) -> str:
    if check.body and check.body.encode() not in data:
        within = " in its first 1 MiB" if len(data) >= BODY_LIMIT else ""
        return f"the body does not contain {check.body!r}{within}"
    if not check.json:
        return ""
    import json

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return "the answer is longer than 1 MiB" if len(data) >= BODY_LIMIT else "the answer is not JSON"
    return next(_differences(check.json, found, ""), "")


def _differences(expected: Any, found: Any, where: str) -> Iterator[str]:
    """What is not as expected. A found object may have more fields, at each level."""
    if not isinstance(expected, Mapping):
        if not _same(expected, found):
            yield f"field {where} is {_show(found)}, expected {_show(expected)}"
    elif not isinstance(found, Mapping):
        yield f"field {where} is {_show(found)}, expected an object" if where else "the answer is not a JSON object"
    else:
        for key, value in expected.items():
            path = f"{where}.{key}" if where else key
            if key in found:
                yield from _differences(value, found[key], path)
            else:
                yield f"field {path} is missing"


def _same(expected: Any, found: Any) -> bool:
    """Text equals the scalar that reads so: '2' fits 2 and 'true' fits true; but 1 is not true."""
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and not any(
            any(_differences(one, other, "")) for one, other in zip(expected, found, strict=True)
        )
    if isinstance(found, bool) or isinstance(expected, bool):
        return bool(expected is found or (isinstance(expected, str) and expected == _show(found)))
    if isinstance(expected, str) and isinstance(found, int | float):
        return expected == str(found)
    return bool(expected == found)


def _show(value: Any) -> str:
    import json

    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


# --- many tries


class _Voice:
    """Says something from time to time."""

    def __init__(self, report: Report) -> None:
        self.report, self.due = report, Deadline.after(REPORT_EVERY)

    def say(self, line: str) -> None:
        if self.due.over:
            self.report(line)
            self.due = Deadline.after(REPORT_EVERY)


def wait(
    check: Check,
    *,
    total: float,
    interval: float,
    successes: int,
    alive: Alive = unwatched,
    report: Report = silent,
) -> Answer:
    """Try until `successes` answers in a row are healthy. Raises NeverHealthy after `total` seconds, Died at once."""
    deadline, voice = Deadline.after(total), _Voice(report)
    row = tries = 0
    reason = ""
    _bury(check, alive())
    while True:
        limit = min(check.timeout, max(deadline.left, SHORTEST_PAUSE))
        answer = probe(replace(check, timeout=limit))
        tries += 1
        # Another process may have answered in its place: the dead do not count as healthy.
        _bury(check, alive())
        row = row + 1 if answer.healthy else 0
        if row >= successes:
            return answer
        # A last try that the end cut short says less than the one before.
        if not reason or limit == check.timeout or answer.seconds < limit:
            reason = f"it was healthy {row} of {successes} times in a row" if row else answer.reason
        if deadline.over:
            what = f"{check.url} was not healthy within {durations.show(total)} ({_count(tries)}): {reason}"
            raise NeverHealthy(what)
        voice.say(f"waiting for {check.url}, {durations.show(deadline.left)} left: {reason}")
        _bury(check, until(alive, min(max(interval, SHORTEST_PAUSE), deadline.left), first=0.05))


def _count(tries: int) -> str:
    return "1 try" if tries == 1 else f"{tries} tries"


def _bury(check: Check, obituary: str | None) -> None:
    if obituary is not None:
        raise Died(f"the instance behind {check.url} died: {obituary or 'nothing is known of why'}")


def hold(
    check: Check,
    seconds: float,
    interval: float,
    alive: Alive = unwatched,
    report: Report = silent,
) -> Answer:
    """Watch it for `seconds`. Raises Died at once, and TurnedUnhealthy after two unhealthy answers in a row.

    Ends with a healthy answer: one bad answer at the very end is asked again.
    """
    begun, deadline, voice = clock.now(), Deadline.after(seconds), _Voice(report)
    pause, bad = max(interval, SHORTEST_PAUSE), 0
    _bury(check, alive())
    while True:
        answer = probe(check)
        _bury(check, alive())
        bad = 0 if answer.healthy else bad + 1
        if bad >= BAD_ANSWERS:
            after = durations.show(clock.now() - begun)
            raise TurnedUnhealthy(f"{check.url} was unhealthy {bad} times in a row, after {after}: {answer.reason}")
        if answer.healthy and deadline.over:
            return answer
        voice.say(f"watching {check.url}, {durations.show(deadline.left)} left: {answer.reason}")
        _bury(check, until(alive, pause if bad else min(pause, deadline.left), first=0.05))
