"""What the kinds of containers share: the words, the values, and how a container is asked for its health."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from proxyswitch.generate import common, words
from proxyswitch.generate.quoting import ENDS
from proxyswitch.generate.value import Value, Values
from proxyswitch.model import Endpoint
from proxyswitch.settings_base import Bytes, Seconds

VERSION = "{version}"


class Slot(NamedTuple):
    """A slot of the app, by its name."""

    name: str
    address: Endpoint


def image(text: str) -> str:
    """The image of an app, with {version} where its version goes."""
    if text.count(VERSION) != 1 or "@" in text:
        raise ValueError(f"{text!r} must contain {VERSION} once, as shop:{VERSION}: each version has its own image")
    words.image(text.replace(VERSION, "1"))
    return text


def service(text: str) -> str:
    """The name of a service; with {slot} it is one a slot."""
    words.name(text.replace("{slot}", "slot"))
    return text


def slot(text: str) -> Slot:
    """A slot, as blue=127.0.0.1:3001. Docker opens its port to everybody where the address is not one of loopback."""
    name, equals, address = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name, re.ASCII):
        raise ValueError(f"{text!r} is no slot, as blue=127.0.0.1:3001")
    return Slot(name, loopback(address))


def loopback(text: str) -> Endpoint:
    """An address of this machine alone, as 127.0.0.1:3001."""
    place = Endpoint.parse(text)
    try:
        if ipaddress.ip_address(place.host).is_loopback:
            return place
    except ValueError:
        pass
    raise ValueError(f"{text!r}: expected an address that only this machine reaches, as 127.0.0.1:3001")


def variable(text: str) -> tuple[str, str]:
    """A variable, as NODE_ENV=production."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key, re.ASCII):
        raise ValueError(f"{text!r} is no variable, as NODE_ENV=production")
    if ENDS.search(value):
        raise ValueError(f"{key}: a value here has one line")
    return key, value


def _image(values: Values) -> str:
    return image(f"{values['name'].lower()}:{VERSION}")


IMAGE = Value(
    "image", image, f"The image, with {VERSION} where the version goes. [default: NAME:{VERSION}]", _image, metavar="IMAGE"
)
PORT = Value("port", words.port, "The port that the app listens on in its container.", 8000, metavar="PORT")
ENV = Value("env", variable, "A variable of the app's environment; no secret.", (), many=True, metavar="KEY=VALUE")
GRACE = Value(
    "grace", words.time, "How long a container may answer what it has, before it is killed.", Seconds(60), metavar="TIME"
)
LOG_SIZE = Value("log_size", words.size, "How big a log may grow.", Bytes.parse("10M"), metavar="SIZE")
LOG_FILES = Value("log_files", words.number(1, 1000), "How many logs are kept.", 3, metavar="N")

# How a container asks itself, by what its image has. Each ends with a status that is not 0 where the answer is none or bad.
Probe = Callable[[str], tuple[str, ...]]
PROBES: dict[str, Probe] = {
    "wget": lambda url: ("wget", "-q", "-O", "/dev/null", url),
    "curl": lambda url: ("curl", "-fsS", "-o", "/dev/null", url),
    "python": lambda url: ("python3", "-c", f"from urllib.request import urlopen; urlopen('{url}')"),
    "node": lambda url: ("node", "-e", f"fetch('{url}').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"),
}
IMAGES_OWN = "image"
PROBE = Value(
    "probe",
    words.one_of(*PROBES, IMAGES_OWN),
    f"What the image has to ask for its health: {', '.join(PROBES)}; {IMAGES_OWN}: its own HEALTHCHECK. [default: wget]",
    "",
    metavar="TOOL",
)
COMMAND = Value("health_command", words.command, "Another command that asks for the health.", (), metavar="COMMAND")
# how a container is looked at, ended and logged
CARE = (common.HEALTH, PROBE, COMMAND, ENV, GRACE, LOG_SIZE, LOG_FILES)


def health_of(values: Values) -> Sequence[str]:
    """The command of the health check; empty where that of the image counts. Raises ValueError."""
    if values["health_command"] and values["probe"]:
        raise ValueError("--probe and --health-command: only one of the two says how the health is asked for")
    probe = values["probe"] or "wget"
    if values["health_command"] or probe == IMAGES_OWN:
        return tuple(values["health_command"])
    return PROBES[probe](f"http://127.0.0.1:{values['port']}{values['health']}")


def image_of(values: Values, otherwise: str) -> str:
    """The image as Docker's tools read it from their file, with the variable that tells the version."""
    text: str = values["image"]
    return text.replace(VERSION, f"${{APP_VERSION:{otherwise}}}")
