"""The app of server.py for gunicorn, `wsgi:app`: the same answers. BROKEN=exit does not import; never-ready is ill."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

VERSION = os.environ.get("VERSION", "unknown")
BROKEN = os.environ.get("BROKEN", "")
if BROKEN == "exit":
    raise RuntimeError("cannot reach the database: the last line")


def app(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(float(parse_qs(environ["QUERY_STRING"]).get("seconds", ["2"])[0]))
    ill = path == "/health" and BROKEN == "never-ready"
    about: dict[str, object] = {"version": VERSION, "slot": os.environ.get("SLOT", ""), "pid": os.getpid()}
    about["status"] = "starting" if ill else "healthy"
    if environ["REQUEST_METHOD"] == "POST":
        about["bytes"] = len(environ["wsgi.input"].read())
    headers = [("Content-Type", "application/json"), ("X-Version", VERSION)]
    start_response("503 Service Unavailable" if ill else "200 OK", headers)
    return [json.dumps(about).encode() + b"\n"]
