"""TLS of a client that can look at what comes first, and a certificate to try it with."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from proxyswitch.demo.load import PEEK


class PeekingSocket(ssl.SSLSocket):
    """A TLS socket that gives one byte in advance: MSG_PEEK, which TLS has not, for just that."""

    _first = b""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        if flags == PEEK:
            self._first = self._first or super().recv(1)
            return self._first
        first, self._first = self._first, b""
        return first or super().recv(buflen, flags)

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int | None = None, flags: int = 0) -> int:  # type: ignore[override]
        if not self._first:
            return super().recv_into(buffer, nbytes, flags)
        buffer[:1], self._first = self._first, b""
        return 1


def client_context(*protocols: str) -> ssl.SSLContext:
    """For a client that offers these protocols and trusts anybody, as everything here is on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.sslsocket_class = PeekingSocket
    context.set_alpn_protocols(list(protocols))
    return context


def certificate(folder: Path) -> tuple[Path, Path]:
    """A new self-signed certificate and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=app.example", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return cert, key
