"""One service of a compose project: start it, stop its containers one by one, and what they say. No other is touched."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from proxyswitch import durations
from proxyswitch.drivers._docker import attempt, docker, done, reach
from proxyswitch.drivers._words import fill
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.compose.container import KILLED, Container, find, inspect
from proxyswitch.drivers.compose.project import MARK, Argv, Project, Wanted
from proxyswitch.errors import Failed, NeedsPerson, SettingsError, UsageError
from proxyswitch.model import Endpoint, Health, Instance, Slot
from proxyswitch.polling import until
from proxyswitch.settings_runners import Compose
from proxyswitch.system import files, proc, signals

LAST_WORDS = 5
STOP_SLACK = 30.0  # seconds that the engine may take on top of the grace
END_WAIT = 5.0


def table(context: Context) -> Compose:
    """The settings of the driver. Raises SettingsError when they are missing."""
    if context.app.compose is None:
        raise SettingsError(f"apps.{context.name}.compose: this table is required, with at least a service")
    return context.app.compose


def _has(image: str) -> bool:
    return attempt(docker("image", "inspect", "--format", "{{.Id}}", image)).ok


@dataclass(frozen=True)
class Service:
    """The service of one slot."""

    context: Context
    slot: Slot

    @property
    def settings(self) -> Compose:
        return table(self.context)

    @property
    def title(self) -> str:
        return f"{self.context.name}:{self.slot.name}"

    @property
    def name(self) -> str:
        return fill(self.settings.service, self.slot, "")

    @property
    def project(self) -> Project:
        return Project(self.settings, self.context.folder / f"{self.slot.name}.compose.json")

    def containers(self) -> list[Container]:
        """All that there are of it, the newest first."""
        return find(self.name, self.project.folder, self.settings.project)

    def up(self) -> list[Container]:
        return [container for container in self.containers() if container.up]

    def instance(self, container: Container) -> Instance:
        auto = self.slot.endpoint == Endpoint()
        place = container.endpoint(self.settings.port) if auto else None
        return Instance(
            self.slot.name,
            container.version,
            container.process,
            container.since,
            ours=container.ours,
            artefact=container.image,
            endpoints=(place,) if place else (),
            health=container.health,
        )

    def about(self) -> str:
        engine = reach()
        return f"{self.project.about()}, {engine}; {', '.join(self.project.files)}"

    # its start

    def refuse_running(self) -> None:
        if self.up():
            raise Failed(f"{self.title} is already running", next_step=f"proxyswitch stop {self.title}")

    def start(self, version: str, artefact: str, words: Argv) -> None:
        """Have the image, and run `up` with those words. Raises Failed with what compose said."""
        self.end_leftovers()
        name = fill(self.settings.image, self.slot, version)
        if artefact:
            self._must_be_here(artefact, version)
        else:
            self._get(Wanted(self.name, version, name))
        self._compose(Wanted(self.name, version, artefact or name), *words)

    def _get(self, wanted: Wanted) -> None:
        if self.settings.build:
            self._compose(wanted, "build", wanted.service)
        if self.settings.pull:
            self._compose(wanted, "pull", "-q", wanted.service)

    def forget(self, version: str, artefact: str) -> str:
        """Remove the image of a version, if we have built it. Raises Failed when Docker does not let it go."""
        if not self.settings.build or not artefact or not _has(artefact):
            return ""
        done(docker("image", "rm", artefact), what=f"docker image rm, of {self.context.name} {version}")
        return f"the image of {self.context.name} {version}, {artefact}, is removed"

    def _must_be_here(self, image: str, version: str) -> None:
        if _has(image):
            return
        done(docker("image", "ls", "-q"))  # raises when it is the engine that is not here
        raise Failed(
            f"{self.title}: the image of {version} is not on this machine any more: {image}",
            next_step=f"build or pull it again, then: proxyswitch deploy {self.context.name} --version {version}",
        )

    def _compose(self, wanted: Wanted, *words: str) -> None:
        project = self.project
        files.make_folder(self.context.folder)
        files.replace(project.override, project.write(wanted))
        what = f"docker compose {words[0]} {wanted.service}{f' with {wanted.image}' if wanted.image else ''}"
        try:
            done(project.command(self.slot, wanted.version, *words), self.context.report, what)
        except Failed as error:
            raise Failed(error.what, next_step=error.next_step or self._mend(wanted)) from error

    def _mend(self, wanted: Wanted) -> str:
        """What to do where the image is what is missing; else the words of compose have to do."""
        if not wanted.image or self.settings.build or _has(wanted.image):
            return ""
        return f"the image {wanted.image} is not on this machine: build or pull it first; build = true does that each time"

    def end_leftovers(self) -> None:
        """Commands of a run of ours that was killed: they must not start what we are about to stop."""

        def ended() -> bool | None:
            left = proc.with_environment(MARK, self.project.mark)
            for process in left:
                signals.send(process, signals.KILL)
            return not left or None

        if not until(ended, END_WAIT):
            raise NeedsPerson(f"{self.title}: a compose command of an earlier run does not end", next_step="look: ps aux")

    def must_tell(self, container: Container, place: Endpoint) -> None:
        """Raise where nothing can say whether it is healthy: Docker accepts connections before the app does."""
        if container.health == Health.UNKNOWN and not self.context.app.health and not container.direct(place):
            raise UsageError(
                f"{self.title}: nothing tells whether {self.name} is healthy: Docker accepts connections before it does",
                next_step=f"give it one, in the compose file or the image, or in [apps.{self.context.name}.health]",
            )

    # its end

    def stop(self) -> bool:
        """Stop all that runs of it; True when anything did. The containers stay, for their logs."""
        self.end_leftovers()
        running = self.up()
        for container in running:
            self.end(container)
        return bool(running)

    def end(self, container: Container) -> None:
        """Stop one container, in grace first. Raises NeedsPerson when it stays."""
        if container.always:  # else the next start of the engine would bring the old version back
            done(docker("update", "--restart", "unless-stopped", container.id))
        grace = container.grace if self.settings.grace is None else float(self.settings.grace)
        words = () if self.settings.grace is None else ("-t", str(round(grace)))
        stop = docker("stop", *words, container.id, timeout=grace + STOP_SLACK)
        with contextlib.suppress(Failed):  # what it is now counts
            done(stop, self.context.report, f"stopping {container.name}")
        after = next(iter(inspect([container.id])), None)
        if after and after.up:
            raise NeedsPerson(
                f"{self.title}: the container {container.name} does not end, not even by SIGKILL",
                state=f"still running: container {container.id[:12]}",
                next_step=f"docker rm -f {container.id[:12]}; if that fails too, look at the log of dockerd",
            )
        if after and after.state["ExitCode"] == KILLED and container.state["Running"]:
            said = f"warning: {container.name} did not end within {durations.show(grace)} and was killed"
            self.context.report(said)

    def remove(self, container: Container) -> None:
        """Stop one container, and take it away. Raises NeedsPerson, Failed."""
        if container.up:
            self.end(container)
        if inspect([container.id]):
            done(docker("rm", container.id))

    # what it says

    def logs(self, lines: int) -> list[str]:
        found = self.containers()
        return self.log_of(found[0], lines) if found else []

    def log_of(self, container: Container, lines: int) -> list[str]:
        """Its last lines, of both streams, in their order. Raises Failed where its log driver gives nothing back."""
        result = attempt(docker("logs", "--timestamps", "--tail", str(lines), container.id))
        if not result.ok:
            raise Failed(f"the log of {container.name} cannot be read: {result.err.strip()}")
        rows = sorted((result.out + result.err).splitlines())
        return [row.partition(" ")[2] for row in rows][-lines:] if lines > 0 else []

    def obituary(self) -> str:
        found = self.containers()
        if not found:
            return f"{self.title}: there is no container of the service {self.name}"
        return self.obituary_of(found[0])

    def obituary_of(self, container: Container) -> str:
        words = [f"{self.title}: the container {container.name} {container.fate()}"]
        words += container.check_said()
        with contextlib.suppress(Failed, UsageError):
            words += self.log_of(container, LAST_WORDS)
        return "\n  ".join(words)
