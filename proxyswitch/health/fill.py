"""From the settings to a check: placeholders filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from proxyswitch.health.check import Check
from proxyswitch.health.target import target_of
from proxyswitch.model import Endpoint, Slot

if TYPE_CHECKING:
    from proxyswitch.settings import Health


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
    target_of(check)
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
