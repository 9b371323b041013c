"""The backend of an app, which both kinds of HAProxy's make: its values, and what does not go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from proxyswitch.generate import common, words
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.model import Endpoint
from proxyswitch.settings_app import App, Health
from proxyswitch.settings_base import Seconds

_STATUSES = re.compile(r"[1-5]\d\d(-[1-5]\d\d)?(,[1-5]\d\d(-[1-5]\d\d)?)*", re.ASCII)


def statuses(text: str) -> str:
    """What a healthy app answers, as 200 or 200,204 or 200-299."""
    if not _STATUSES.fullmatch(text):
        raise ValueError(f"{text!r}: expected statuses, as 200 or 200-299")
    return text


def some_time(text: str) -> Seconds:
    """A duration of more than nothing: to HAProxy a timeout of 0 is none."""
    seconds = words.time(text)
    if not 0.001 <= seconds <= 86400 * 24:  # HAProxy counts milliseconds in 31 bits
        raise ValueError(f"{text!r}: expected more than no time, and 24 days at most")
    return seconds


VALUES: tuple[Value, ...] = (
    common.NAME,
    common.BLUE,
    common.GREEN,
    common.POOL,
    common.HEALTH,
    Value("health_host", words.domain, "The Host of a health check.", "localhost", metavar="DOMAIN"),
    Value("health_status", statuses, "What a healthy app answers, as 200 or 200-299.", "200", metavar="STATUS"),
    Value("interval", some_time, "How often a server is checked.", Seconds(2), metavar="TIME"),
    Value("slowstart", words.time, "How long a server that was dead is spared; 0: not.", Seconds(10), metavar="TIME"),
    Value("server_timeout", some_time, "How long an answer may take.", Seconds(60), metavar="TIME"),
    Value("tunnel_timeout", some_time, "How long a websocket may be silent.", Seconds(3600), metavar="TIME"),
)


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    """What the settings know of the backend."""
    pool = next((name for _, name in app.targets), "")
    return {"name": name, "pool": pool, **common.slots_of(app), **(_health(app.health) if app.health else {})}


def _health(health: Health) -> dict[str, str]:
    """A path with {version} or {slot} in it says nothing to HAProxy, and tcp:// asks for no path."""
    url = urlsplit(health.url)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    wanted = health.status if isinstance(health.status, list) else [health.status]
    found = {"health_host": health.host, "health_status": ",".join(map(str, wanted)).replace(" ", "")}
    return {**found, "health": path} if url.scheme == "http" and "{" not in path else found


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    """What the template of the backend needs besides. Raises ValueError.

    It has no `init-state`, which 3.1 and later know: at a start all servers would be down until a check, and each that a
    script makes ready. Measured with 3.2: 503 for as long. proxyswitch asks a server itself before it gets traffic.
    """
    blue, green = values["blue"], values["green"]
    if blue == green:
        raise ValueError(f"--blue and --green are both {blue}: the next version needs a place of its own")
    if 0 < values["slowstart"] <= values["interval"]:
        raise ValueError("--slowstart must be longer than --interval: HAProxy gives a server more with each check")
    return {
        "blue_place": place(blue),
        "green_place": place(green),
        "resolved": [end.host for end in (blue, green) if is_name(end)],
    }


def place(endpoint: Endpoint) -> str:
    """The address of a server, in HAProxy's words (its manual, 11 "Address formats")."""
    return f"unix@{endpoint.path}" if endpoint.path else str(endpoint)


def is_name(endpoint: Endpoint) -> bool:
    """True for a host name, which has to be looked up."""
    return bool(endpoint.host) and ":" not in endpoint.host and not re.fullmatch(r"[\d.]+", endpoint.host)
