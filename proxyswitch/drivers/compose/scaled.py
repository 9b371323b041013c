"""The Compose driver in place: one service that runs twice for a while, each container at an address of its own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from proxyswitch.drivers._docker import docker, done
from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers.base import Context, Moved
from proxyswitch.drivers.compose.container import Container, inspect
from proxyswitch.drivers.compose.problems import faults, problems
from proxyswitch.drivers.compose.project import beside, up
from proxyswitch.drivers.compose.service import Service, table
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Instance, Problem, Slot


class Swap(msgspec.Struct, frozen=True):
    """A reload that is not confirmed: the container that ran before, what is in it, and the new one once it is there."""

    old: str
    version: str
    image: str
    new: str = ""


class Scaled:
    """See drivers.base.InPlace."""

    def __init__(self, context: Context) -> None:
        table(context)
        self._context = context
        self._memory = Memory(context.folder, Swap, "swap")

    def _service(self, slot: Slot) -> Service:
        return Service(self._context, slot)

    def forget(self, version: str, artefact: str) -> str:
        return self._service(self._context.app.places[0]).forget(version, artefact)

    def about(self) -> str:
        return self._service(self._context.app.places[0]).about()

    def problems(self) -> list[Problem]:
        services = [self._service(slot) for slot in self._context.app.places]
        return [problem for service in services for problem in problems(service)]

    # what runs

    def _live(self, service: Service) -> Container | None:
        """Who is the app now: while a reload is not confirmed the new container, even a dead one."""
        found = service.containers()
        swap = self._memory.load(service.slot.name)
        if swap and swap.new:
            return next((c for c in found if c.id == swap.new), None)
        if swap:
            found = [c for c in found if c.id == swap.old]
        return next((c for c in found if c.up), None)

    def status(self, slot: Slot) -> Instance | None:
        service = self._service(slot)
        live = self._live(service)
        return service.instance(live) if live and live.runs else None

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        service = self._service(slot)
        live = self._live(service)
        yield from service.log_of(live, lines) if live else service.logs(lines)

    def obituary(self, slot: Slot) -> str:
        service = self._service(slot)
        live = self._live(service)
        return service.obituary_of(live) if live else service.obituary()

    # the first start, and a stop

    def check(self, slot: Slot) -> None:
        service = self._service(slot)
        service.refuse_running()
        self._check(service)

    def _check(self, service: Service) -> None:
        self._check_form(service)
        for fault in faults(service):
            raise fault

    def _check_form(self, service: Service) -> None:
        app = f"apps.{self._context.name}"
        if service.slot.endpoint != Endpoint():
            raise UsageError(
                f"{app}.slots.{service.slot.name}: two containers of a service cannot share {service.slot.endpoint}",
                next_step=f'write {service.slot.name} = "auto" and leave the port to Docker, or use two slots and services',
            )
        if not self._context.app.pool:
            raise UsageError(f"{app}.pool: this key is required: each release of a service listens elsewhere")

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:
        service = self._service(slot)
        service.refuse_running()
        service.start(version, artefact, up(service.name))
        made = service.containers()[0]
        try:
            return self._reachable(service, made)
        except UsageError:
            service.end(made)
            raise

    def _reachable(self, service: Service, container: Container) -> Instance:
        place = container.endpoint(service.settings.port)
        if container.runs and not place:
            raise UsageError(
                f"{service.title}: the container {container.name} publishes no port",
                next_step='write in the compose file: ports: ["127.0.0.1::PORT"]; the key port says which of several',
            )
        service.must_tell(container, place or Endpoint())
        return service.instance(container)

    def stop(self, slot: Slot) -> bool:
        stopped = self._service(slot).stop()
        self._memory.forget(slot.name)
        return stopped

    # a release

    def check_reload(self, slot: Slot, version: str) -> None:  # noqa: ARG002  # a version is a name here
        self._check(self._service(slot))

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:  # noqa: ARG002  # the caller moves it
        service = self._service(slot)
        self.confirm(slot)
        old = self._alone(service)
        swap = Swap(old.id, old.version, old.image)
        self._memory.save(slot.name, swap)
        service.start(version, artefact, beside(service.name, 2))
        new = next((c for c in service.containers() if c.id != old.id), None)
        if new is None:
            raise Failed(f"{service.title}: compose started no second container of {service.name}")
        self._memory.save(slot.name, msgspec.structs.replace(swap, new=new.id))
        return self._reachable(service, new)

    def _alone(self, service: Service) -> Container:
        """The one that runs; containers that do not are removed, or compose would start them again."""
        running = service.up()
        if len(running) != 1:
            names = ", ".join(c.name for c in running) or "none"
            raise Failed(f"{service.title}: exactly one container should run, and there is: {names}")
        for container in service.containers():
            if not container.up:
                service.remove(container)
        return running[0]

    def revert(self, slot: Slot, moved: Moved) -> None:
        service, swap = self._service(slot), self._memory.load(slot.name)
        service.end_leftovers()
        if swap is None:
            return
        old = self._returned(service, swap)
        place = old.endpoint(service.settings.port)
        if place:
            moved((place,))
        for container in service.containers():
            if container.id != old.id:
                service.remove(container)
        self._memory.forget(slot.name)

    def _returned(self, service: Service, swap: Swap) -> Container:
        """The old container, which runs: started again where it has died meanwhile, made anew where it is gone."""
        found = service.containers()
        old = next((c for c in found if c.id == swap.old), None)
        if old and old.up:
            return old
        if old:
            done(docker("start", old.id))
            return inspect([old.id])[0]
        service.start(swap.version, swap.image, beside(service.name, len(found) + 1))
        old = service.containers()[0]
        self._memory.save(service.slot.name, msgspec.structs.replace(swap, old=old.id))
        return old

    def confirm(self, slot: Slot) -> None:
        service, swap = self._service(slot), self._memory.load(slot.name)
        if swap is None:
            return
        for container in service.containers():
            if container.id == swap.old and swap.new:
                service.remove(container)
        self._memory.forget(slot.name)
