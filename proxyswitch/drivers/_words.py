"""Facts of a start, in the words of the settings and of an app's environment."""

from __future__ import annotations

import os
import re

from proxyswitch.model import Slot

PLACEHOLDER = re.compile(r"\{(version|slot|port|host|address)\}")

# By these, CI runners find and kill what a job left: GitHub, Azure Pipelines, Jenkins (and as Hudson).
TRACKING = frozenset(
    {
        "RUNNER_TRACKING_ID",
        "VSTS_PROCESS_LOOKUP_ID",
        "JENKINS_NODE_COOKIE",
        "JENKINS_SERVER_COOKIE",
        "HUDSON_COOKIE",
        "HUDSON_SERVER_COOKIE",
        "BUILD_ID",
    }
)
# Ours, from whatever started us, would tell the app a wrong place.
PLACES = frozenset({"HOST", "PORT", "SOCKET"})


def fill(text: str, slot: Slot, version: str) -> str:
    """A text of the settings with {version}, {slot}, {port}, {host} and {address} filled in, in one pass."""
    place = slot.endpoint
    values = {
        "version": version,
        "slot": slot.name,
        "port": str(place.port) if place.port else "",
        "host": place.host,
        "address": str(place),
    }
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def facts(app: str, slot: Slot, version: str) -> dict[str, str]:
    """What an app is told: APP_NAME, APP_VERSION, APP_SLOT, and HOST and PORT, or SOCKET."""
    env = {"APP_NAME": app, "APP_VERSION": version, "APP_SLOT": slot.name}
    place = slot.endpoint
    if place.path:
        return env | {"SOCKET": place.path}
    return env | ({"HOST": place.host, "PORT": str(place.port)} if place.port else {})


def inherited() -> dict[str, str]:
    """Our environment, without what is not for an app that outlives us."""
    return {key: value for key, value in os.environ.items() if key not in TRACKING | PLACES}
