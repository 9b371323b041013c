"""A mixed load that never retries: HTTP/1.1, the same over TLS, HTTP/2 and websockets, every failure counted by its kind."""

from pathlib import Path

APP = Path(__file__).with_name("app.py")
