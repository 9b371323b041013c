"""The Swarm driver: the app is a service; Swarm replaces its tasks, and we follow, move the traffic along, and judge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import msgspec

from proxyswitch import durations
from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers._words import facts, fill
from proxyswitch.drivers.base import Context, Moved, stays
from proxyswitch.drivers.swarm import update, words
from proxyswitch.drivers.swarm.client import Client, Unreachable
from proxyswitch.drivers.swarm.doctor import gap, problems, unpublished
from proxyswitch.drivers.swarm.follow import Follower, progress
from proxyswitch.drivers.swarm.seen import Seen, version_of
from proxyswitch.drivers.swarm.status import checked, instance, why
from proxyswitch.drivers.swarm.update import Before
from proxyswitch.drivers.swarm.values import KILLED, Service
from proxyswitch.errors import Failed, NeedsPerson, ProxyswitchError, SettingsError, UsageError
from proxyswitch.model import Endpoint, Health, Instance, Problem, Slot
from proxyswitch.settings_runners import Swarm as Settings
from proxyswitch.system.clock import Deadline

SLACK = 30.0  # beyond the time that Swarm itself gives a task to end


class Known(msgspec.Struct, frozen=True):
    """What this driver remembers: the release that is not confirmed, and how many tasks ran before a stop."""

    before: Before | None = None
    replicas: int = 0


class Swarm:
    """See drivers.base.InPlace."""

    def __init__(self, context: Context) -> None:
        if context.app.swarm is None:
            raise SettingsError(f"apps.{context.name}.swarm: this table is required, with a service and an image")
        self._name, self._app, self._report = context.name, context.app, context.report
        self._settings = context.app.swarm
        self._client = Client(self._settings, os.path.realpath(context.folder))
        self._memory: Memory[Known] = Memory(context.folder, Known, "swarm")

    def about(self) -> str:
        engine = self._client.engine()
        nodes = f"{engine['nodes']} {'node' if engine['nodes'] == 1 else 'nodes'}"
        return f"Docker Swarm, engine {engine['version']} ({self._client.where()}), {nodes}"

    def problems(self) -> list[Problem]:
        seen = self._client.seen()
        if seen is None:
            return [_absent(self._settings.service)]
        known = checked(self._client, seen) is not False
        return list(problems(self._app, self._settings, seen, self._client.ready_nodes, known))

    # start and stop

    def check(self, slot: Slot) -> None:  # noqa: ARG002
        self._client.engine()
        seen = self._seen()
        if seen.service.replicas != 0:
            raise Failed(
                f"the service {self._settings.service} is not stopped: {progress(seen)}",
                next_step=f"proxyswitch stop {self._name}",
            )
        self._check_ports(seen)

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:
        self.check(slot)
        known = self._known(slot)
        replicas = self._settings.replicas or known.replicas or 1
        self._client.tell(words.started(*self._wish(slot, version, artefact), replicas))
        return self.status(slot) or Instance(slot.name, version, None, health=Health.STARTING)

    def stop(self, slot: Slot) -> bool:
        self._client.end_leftovers()
        seen = self._client.seen()
        if seen is None or not (seen.service.replicas or any(t.wanted or t.leaves for t in seen.tasks)):
            return False
        if seen.service.replicas is None:
            raise UsageError(
                f"the service {self._settings.service} runs on every node: Swarm cannot scale it to 0",
                next_step=f"remove it by hand: docker service rm {self._settings.service}",
            )
        if seen.service.replicas:
            self._memory.save(slot.name, msgspec.structs.replace(self._known(slot), replicas=seen.service.replicas))
            self._client.tell(words.scaled(self._settings, 0))
        self._ended([task.id for task in seen.tasks], seen.service.grace)
        return True

    def _ended(self, tasks: Iterable[str], grace: float) -> None:
        """Wait for tasks that are asked to end, and tell which of them had to be killed. Raises NeedsPerson."""
        killed: set[str] = set()
        late = Deadline.after(grace)

        def gone(seen: Seen) -> bool:
            ours = [task for task in seen.tasks if task.id in tasks]
            left = [task for task in ours if task.leaves or task.wanted]
            killed.update(task.id for task in ours if task.exit == KILLED or (late.over and task in left))
            return not left

        try:
            self._follower().until(gone, grace + SLACK)
        except Failed as error:
            raise NeedsPerson(
                error.what, state="they were asked to end, and still run", next_step=error.next_step
            ) from error
        for task in sorted(killed):
            self._report(f"warning: task {task[:12]} did not end within {durations.show(grace)}: Swarm killed it")

    # what runs

    def status(self, slot: Slot) -> Instance | None:
        seen = self._client.seen()
        return instance(self._client, seen, slot) if seen else None

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:  # noqa: ARG002
        yield from self._client.logs(self._settings.service, lines)

    def obituary(self, slot: Slot) -> str:  # noqa: ARG002
        seen = self._client.seen()
        if seen is None:
            return f"there is no service {self._settings.service}"
        return why(self._client, seen.failures) or progress(seen)

    # replacing what runs

    def check_reload(self, slot: Slot, version: str) -> None:  # noqa: ARG002
        self._client.engine()
        seen = self._seen()
        self._check_ports(seen)
        told = gap(self._settings, seen, self._client.ready_nodes)
        if told:
            raise UsageError(
                told,
                next_step="publish without a fixed port (published= left out), or set"
                f' update = {{ order = "stop-first" }} and rollback = {{ order = "stop-first" }} in apps.{self._name}.swarm',
            )

    def _check_ports(self, seen: Seen) -> None:
        missing = unpublished(self._app, self._settings, seen)
        if missing:
            raise UsageError(missing.what, next_step=missing.next_step)

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:
        try:
            self._reload(slot, version, artefact, self._follower(moved))
            there = self.status(slot)
        except (Failed, Unreachable) as error:
            raise Failed(error.what, next_step=error.next_step or self._read_log()) from error
        if there is None or there.version != version:
            raise Failed(f"{self._settings.service} runs {there.version if there else 'nothing'}, not {version}")
        return there

    def _reload(self, slot: Slot, version: str, artefact: str, follower: Follower) -> None:
        seen = follower.now()  # the pool gets the tasks as they are: some may have moved since the last release
        before = Before.of(seen)
        self._memory.save(slot.name, msgspec.structs.replace(self._known(slot), before=before))
        if artefact and self._is_previous(seen.service, version, artefact):
            update.back_again(follower, seen)
        else:
            update.forward(follower, seen, words.started(*self._wish(slot, version, artefact)))

    def _is_previous(self, service: Service, version: str, artefact: str) -> bool:
        """True when Swarm's own way back leads to exactly that, in as many tasks as now."""
        build = service.previous
        return (
            build is not None
            and version_of(build, self._settings.image) == version
            and artefact in (build.image, self._client.image_id(build.image))
        )

    def _read_log(self) -> str:
        return f"read the log: proxyswitch logs {self._name}"

    def revert(self, slot: Slot, moved: Moved) -> None:
        before = self._known(slot).before
        if before is None:
            return
        try:
            self._client.end_leftovers()
            update.revert(self._follower(moved), before)
        except ProxyswitchError as error:
            raise NeedsPerson(
                f"{self._settings.service} did not come back to {before.version or before.image}: {error.what}",
                state=f"docker service ps {self._settings.service} shows what runs",
                next_step=error.next_step or self._read_log(),
            ) from error
        self._forget(slot)

    def confirm(self, slot: Slot) -> None:
        before = self._known(slot).before
        if before is None:
            return
        self._ended(before.leaving, self._seen().service.grace)
        self._forget(slot)

    # small things

    def _seen(self) -> Seen:
        seen = self._client.seen()
        if seen is None:
            problem = _absent(self._settings.service)
            raise UsageError(problem.what, next_step=problem.next_step)
        return seen

    def _follower(self, moved: Moved = stays) -> Follower:
        return Follower(self._client, moved, self._report)

    def _wish(self, slot: Slot, version: str, artefact: str) -> tuple[Settings, str, dict[str, str]]:
        """The image and the environment of a version: its tag, unless that means something else by now than the artefact."""
        named = fill(self._settings.image, slot, version)
        image = artefact if artefact and self._client.image_id(named) != artefact else named
        ours = facts(self._name, slot._replace(endpoint=Endpoint()), version)
        return self._settings, image, {key: fill(value, slot, version) for key, value in self._settings.env.items()} | ours

    def _known(self, slot: Slot) -> Known:
        return self._memory.load(slot.name) or Known()

    def _forget(self, slot: Slot) -> None:
        self._memory.save(slot.name, msgspec.structs.replace(self._known(slot), before=None))


def _absent(service: str) -> Problem:
    make = f"docker service create --name {service} --replicas 0 --publish mode=host,target=8000 IMAGE"
    return Problem(f"there is no service {service}", f"make it: {make}; or: docker stack deploy")
