"""What would make a release fail, read from the project as compose understands it. Version 1 tells too little for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proxyswitch.drivers.compose.container import find, is_local, reaches
from proxyswitch.drivers.compose.service import Service
from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint, Problem

Model = Mapping[str, Any]


def faults(service: Service) -> Iterator[UsageError]:
    """Found without starting anything. Raises UsageError where compose cannot use the file, or has no such service."""
    model = service.project.model(service.slot, service.name)
    if model is None:
        return
    ours: Model = model["services"][service.name]
    yield from _alone(service, ours) if service.slot.endpoint == Endpoint() else _address(service, ours)
    for name, wish in (ours.get("depends_on") or {}).items():
        if wish["condition"] != "service_completed_successfully" and wish.get("required", True):
            yield from _dependency(service, name)


def _address(service: Service, ours: Model) -> Iterator[UsageError]:
    place, where = service.slot.endpoint, f"apps.{service.context.name}.slots.{service.slot.name}"
    ports = ours.get("ports") or []
    fits = (p for p in ports if p.get("published") == str(place.port) and reaches(p.get("host_ip", ""), place.host))
    if ports and is_local(place.host) and ours.get("network_mode") != "host" and not any(fits):
        shown = ", ".join(f"{p.get('host_ip', '*')}:{p.get('published', '(any)')}" for p in ports)
        next_step = f"make them the same: {where}, and ports of {service.name} in the compose file"
        yield UsageError(f"the service {service.name} publishes {shown}, not {place}", next_step=next_step)


def _alone(service: Service, ours: Model) -> Iterator[UsageError]:
    """What keeps a second container of the service from starting."""
    fixed = [str(port.get("published", "")) for port in ours.get("ports") or []]
    for port in (port for port in fixed if port.isdigit() and port != "0"):
        yield UsageError(
            f"the service {service.name} publishes the port {port}, which no second container can have",
            next_step='leave it to Docker, as "127.0.0.1::8000", or give a range, as "127.0.0.1:3001-3002:8000"',
        )
    if ours.get("network_mode") == "host":
        yield UsageError(f"the service {service.name} cannot run twice in network_mode: host", next_step="publish a port")
    if ours.get("container_name"):
        yield UsageError(f"the service {service.name} cannot run twice: it has a container_name", next_step="remove it")


def _dependency(service: Service, name: str) -> Iterator[UsageError]:
    if not any(c.runs for c in find(name, service.project.folder, service.settings.project)):
        yield UsageError(
            f"the service {name}, which {service.name} depends on, does not run",
            next_step=f"start it: docker compose up -d {name} (only {service.name} is started here, and no other)",
        )


def problems(service: Service) -> list[Problem]:
    """The same for `doctor`, and what could go wrong later."""
    found = [Problem(fault.what, fault.next_step) for fault in faults(service)]
    model = service.project.model(service.slot, service.name)
    if model and not model["services"][service.name].get("profiles"):
        what = f"the service {service.name} has no profile: a bare `docker compose up -d` starts it anew, live or not"
        found.append(Problem(what, f'give it one in the compose file: profiles: ["{service.context.name}"]'))
    return found
