"""An app that runs in Docker: a service of compose, or of a swarm. Pure."""

from __future__ import annotations

import re

from proxyswitch.model import Endpoint
from proxyswitch.proposal import names
from proxyswitch.proposal.proposed import CHECK, FILL, Key, Runner
from proxyswitch.proposal.seen import Listener, Seen, Service

PROXY = re.compile(r"(?:^|/)(?:docker-proxy|dockerd|rootlesskit)\b")


def look(at: Endpoint, listener: Listener | None, seen: Seen) -> Runner | None:
    if listener and listener.pid and not PROXY.search(listener.title):
        return None
    swarm, compose = seen.service(at, swarm=True), seen.service(at, swarm=False)
    return _swarm(swarm) if swarm else _compose(at, compose) if compose else None


def _swarm(service: Service) -> Runner:
    repository, image = _image(service.image)
    why = CHECK + f"it runs {service.image or 'an image that could not be read'}; {{version}} becomes its tag"
    keys = (
        Key("service", service.name, "its name in the swarm"),
        Key("image", image, why if repository else FILL + "the image, with {version} in it"),
    )
    doubt = "" if repository else "the image of the service could not be read"
    return Runner("swarm", keys, f"a service of a Docker swarm: {service.name}", in_place=True, doubt=doubt)


def _compose(at: Endpoint, service: Service) -> Runner:
    pattern, slot = names.split(service.name, at.port)
    alone = pattern == service.name
    repository, image = _image(service.image)
    why = f"it runs {service.image} now; with this line the version of a release is its tag"
    keys = [
        Key("service", pattern, f"the service {service.name} publishes port {at.port}"),
        Key("files", list(service.files) or ["."], "the compose files of the project"),
    ]
    keys += [Key("project", service.project, "the name of the project")] if service.project else []
    keys.append(
        Key("image", image if repository else "app:{version}", why if repository else "the image of a version", True)
    )
    keys.append(Key("build", True, "or let compose build it; APP_VERSION has the version", True))
    doubt = (
        "its one service publishes a fixed port, so no second container can stand beside it: give the compose file a service"
    )
    doubt += f' a slot ({service.name}-blue and -green), or let Docker choose the port and write main = "auto"'
    return Runner(
        "compose", tuple(keys), f"a service of Docker Compose: {service.name}", slot, alone, doubt if alone else ""
    )


def _image(image: str) -> tuple[str, str]:
    """`shop:1` → shop and shop:{version}; nothing of what was named by its digest alone."""
    plain = image.partition("@")[0]
    repository = plain if ":" not in plain.rpartition("/")[2] else plain.rpartition(":")[0]
    if not repository or plain.startswith("sha256:") or re.fullmatch("[0-9a-f]{12,64}", plain):
        return "", "app:{version}"
    return repository, f"{repository}:{{version}}"
