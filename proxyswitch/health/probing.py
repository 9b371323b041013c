"""One try: connect, ask, read, all before one deadline, so that a trickling server cannot stretch it."""

from __future__ import annotations

import io
from typing import Any, Protocol

from proxyswitch import durations
from proxyswitch.health.check import Answer, Check
from proxyswitch.health.target import Target, target_of
from proxyswitch.health.verdict import fault
from proxyswitch.model import Endpoint
from proxyswitch.system import clock, net
from proxyswitch.system.clock import Deadline


def probe(check: Check) -> Answer:
    """One try. Raises UsageError when the check itself cannot be sent, nothing else."""
    target = target_of(check)
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
        return response.status, fault(check, response)


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
