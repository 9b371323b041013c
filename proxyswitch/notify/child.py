"""A program of its own: sends one message, described by an object on standard input. Needs nothing but Python.

Exit status 0: sent. 3: not sent, and the last line on standard output says why, in words from here alone: exceptions, logs
and answers can contain the key.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection, InvalidURL, responses
from typing import Any
from urllib.parse import quote, unquote, urlsplit

INSTALL = "apprise is not installed: pip install 'proxyswitch[notify]'"


def main() -> int:
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is not our answer
    fault = _send(json.load(sys.stdin.buffer))
    os.write(answer, f"\n{fault}".encode())
    return 3 if fault else 0


def _send(spec: dict[str, Any]) -> str:
    """What went wrong, or nothing."""
    try:
        return _post(spec) if spec["way"] == "post" else _apprise(spec)
    except OSError as error:
        return _network(error)
    except (ValueError, InvalidURL):
        return "the URL or a header cannot be used as it is"
    except HTTPException:
        return "the answer is not HTTP"
    except Exception as error:  # noqa: BLE001  # its text may contain the key
        return f"it failed: {type(error).__name__}"


def _post(spec: dict[str, Any]) -> str:
    parts = urlsplit(spec["url"])
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=spec["timeout"])
    path = quote(f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", safe="/%?&=+:@!$'()*,;~[]")
    headers = {name: value.encode() for name, value in (_login(parts.netloc) | spec["headers"]).items()}
    connection.request("POST", path, spec["body"].encode(), headers)
    status = connection.getresponse().status
    return "" if 200 <= status < 300 else f"the answer was {status} {responses.get(status, '')}".rstrip()


def _login(netloc: str) -> dict[str, str]:
    """The header for a name and password in the URL."""
    login, at, _ = netloc.rpartition("@")
    return {"Authorization": f"Basic {base64.b64encode(unquote(login).encode()).decode()}"} if at else {}


def _network(error: OSError) -> str:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'no reason is known').replace('_', ' ').lower()}"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was closed without an answer"
    return (error.strerror or type(error).__name__).lower()


class _Heard(logging.Handler):
    """Of what apprise logs: the status of an answer, or that there was no connection. Its texts show whole URLs."""

    said = "apprise could not send it"

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        status = re.search(r"error=(\d{3})\b", text)
        if status:
            self.said = f"the answer was {status[1]} {responses.get(int(status[1]), '')}".rstrip()
        elif "onnection error" in text:
            self.said = "there was no connection, or it broke"


def _apprise(spec: dict[str, Any]) -> str:
    try:
        import apprise
    except ModuleNotFoundError:
        return INSTALL
    heard = _Heard(logging.WARNING)
    logging.getLogger("apprise").addHandler(heard)
    sender = apprise.Apprise()
    if not sender.add(spec["url"]):
        return "apprise does not know such a URL, or a part of it is missing"
    sent = sender.notify(title=spec["title"], body=spec["body"], notify_type=spec["type"])
    return "" if sent else heard.said


if __name__ == "__main__":
    sys.exit(main())
