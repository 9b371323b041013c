"""The values that several kinds share, and what the settings know of them."""

from __future__ import annotations

from urllib.parse import urlsplit

from proxyswitch.generate import words
from proxyswitch.generate.value import Value, Values
from proxyswitch.settings_app import AUTO, App


def _pool(values: Values) -> str:
    return f"{values['name']}_backend"


NAME = Value("name", words.name, "The app's name.", metavar="NAME")
BLUE = Value("blue", words.address, "Where the version that serves now listens.", metavar="ADDRESS")
GREEN = Value("green", words.address, "Where the next version will listen.", metavar="ADDRESS")
POOL = Value("pool", words.name, "The pool's name. [default: NAME_backend]", _pool, metavar="POOL")
HEALTH = Value("health", words.url_path, "The path that tells whether the app is well.", "/health", metavar="PATH")


def slots_of(app: App) -> dict[str, str]:
    """The addresses of the first two slots."""
    addresses = [address for address in app.slots.values() if address != AUTO]
    return dict(zip(("blue", "green"), addresses, strict=False))


def health_of(app: App) -> dict[str, str]:
    """The path of the URL that is asked, where it is one of HTTP and the same for each version."""
    url = urlsplit(app.health.url.replace("{address}", "app")) if app.health else None
    known = url and url.scheme in ("http", "https") and "{" not in url.path
    return {"health": url.path or "/"} if url and known else {}
