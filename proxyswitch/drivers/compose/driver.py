"""The Compose driver: a service of a compose file for each slot."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.drivers.base import Context
from proxyswitch.drivers.compose.container import Container
from proxyswitch.drivers.compose.problems import faults, problems
from proxyswitch.drivers.compose.project import up
from proxyswitch.drivers.compose.service import Service, table
from proxyswitch.errors import UsageError
from proxyswitch.model import Instance, Problem, Slot
from proxyswitch.system import net


class Compose:
    """See drivers.base.Driver."""

    def __init__(self, context: Context) -> None:
        table(context)
        self._context = context

    def _service(self, slot: Slot) -> Service:
        return Service(self._context, slot)

    def forget(self, version: str, artefact: str) -> str:
        return self._service(self._context.app.places[0]).forget(version, artefact)

    def about(self) -> str:
        return self._service(self._context.app.places[0]).about()

    def problems(self) -> list[Problem]:
        services = [self._service(slot) for slot in self._context.app.places]
        return [problem for service in services for problem in problems(service)]

    def check(self, slot: Slot) -> None:
        service = self._service(slot)
        self._check_free(service)
        for fault in faults(service):
            raise fault

    def _check_free(self, service: Service) -> None:
        service.refuse_running()
        if net.is_listening(service.slot.endpoint):
            raise UsageError(
                f"{service.slot.endpoint}, where {service.title} should listen, is taken",
                next_step=f"look who listens there: ss -ltnp 'sport = :{service.slot.endpoint.port}'",
            )

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:
        service = self._service(slot)
        self._check_free(service)
        service.start(version, artefact, up(service.name))
        made = service.containers()[0]
        try:
            self._must_be_there(service, made)
            service.must_tell(made, slot.endpoint)
        except UsageError:
            service.end(made)
            raise
        return service.instance(made)

    def _must_be_there(self, service: Service, made: Container) -> None:
        place = service.slot.endpoint
        if not made.listens(place):
            raise UsageError(
                f"{service.title}: the service {service.name} publishes {made.published}, not {place}",
                next_step=f"make slots.{service.slot.name} in the settings and ports in the compose file the same",
            )

    def stop(self, slot: Slot) -> bool:
        return self._service(slot).stop()

    def status(self, slot: Slot) -> Instance | None:
        service = self._service(slot)
        newest = next(iter(service.up()), None)
        return service.instance(newest) if newest and newest.runs else None

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        yield from self._service(slot).logs(lines)

    def obituary(self, slot: Slot) -> str:
        return self._service(slot).obituary()
