"""The command driver: the app is started, stopped and looked at by commands of the person's own, so that any script fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from proxyswitch.drivers._adopted import describe, holders
from proxyswitch.drivers._logs import Logs, tail
from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers._waiting import patiently
from proxyswitch.drivers.base import Context, Moved
from proxyswitch.drivers.command.run import Ended, Words, carry_out, end_group
from proxyswitch.errors import Failed, NeedsPerson, ProxyswitchError, SettingsError, UsageError
from proxyswitch.model import Instance, Problem, ProcessId, Slot
from proxyswitch.system import clock, files, net, proc, run

RUNS, DOES_NOT = 0, 3  # exit statuses of `status`, as of every init script
KEYS = ("start", "stop", "status", "reload", "revert", "confirm", "check", "logs")
LAST_WORDS = 5
KEPT = 5


class Known(Struct, frozen=True):
    """What was started last; `old` is what a reload replaces until it is confirmed, `busy` a command that runs now."""

    version: str
    since: float
    log: str
    old: str | None = None
    busy: ProcessId | None = None


class Command:
    """See drivers.base.Driver and InPlace."""

    def __init__(self, context: Context) -> None:
        settings = context.app.command
        if settings is None:
            raise SettingsError(f"apps.{context.name}.command: this table is required, with start, stop and status")
        self._context, self._settings = context, settings
        self._logs = Logs(context.name, context.folder.absolute() / "logs", KEPT)
        self._memory = Memory(context.folder, Known, "command")

    # what is so

    def about(self) -> str:
        for slot in self._context.app.places:
            self._programs(slot)
        return "commands of your own"

    def problems(self) -> list[Problem]:
        """What `status` does not answer, and what a release in place could not prove."""
        found = [Problem(e.what, e.next_step) for slot in self._context.app.places for e in self._unanswered(slot)]
        if self._context.app.in_place and "{version}" not in repr(self._context.app.health):
            what = "the health check does not ask for the version: that the new one serves is then not proven"
            found.append(Problem(what, f"put {{version}} into apps.{self._context.name}.health"))
        return found

    def _unanswered(self, slot: Slot) -> Iterator[Failed]:
        try:
            self.status(slot)
        except Failed as error:
            yield error

    def _programs(self, slot: Slot) -> None:
        for key in KEYS:
            fault = self._words(slot).fault(key)
            if fault:
                raise fault

    def status(self, slot: Slot) -> Instance | None:
        """Asks the command `status`. Raises Failed when it answers neither yes nor no, UsageError when it is not there."""
        known = self._memory.load(slot.name)
        words, version = self._words(slot), known.version if known else ""
        fault = words.fault("status")
        if fault:
            raise fault
        argv, env = words.argv("status", version), words.environment("status", version, "")
        result = run.run(run.Command(argv, float(self._settings.status_timeout), self._settings.cwd, env))
        if result.code == DOES_NOT and not result.timed_out:
            return None
        if not result.ok:
            said = "".join(f"\n  | {line}" for line in (result.out + result.err).splitlines()[-LAST_WORDS:])
            what = f"{self._title(slot)}: the command status {result.reason().removeprefix('it ')}{said}"
            raise Failed(what, next_step="it must end with 0 when the app runs, and with 3 when it does not")
        since, log = (known.since, known.log) if known else (0.0, "")
        return Instance(slot.name, _version(result.out) or version, None, since, log)

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        known = self._memory.load(slot.name)
        if self._settings.logs:
            words, version = self._words(slot), known.version if known else ""
            env = words.environment("logs", version, "") | {"PROXYSWITCH_LINES": str(lines)}
            limit = float(self._settings.status_timeout)
            result = run.run(run.Command(words.argv("logs", version), limit, self._settings.cwd, env))
            yield from (result.out + result.err).splitlines()[-lines:]
        elif known:
            yield from tail(Path(known.log), lines)

    def obituary(self, slot: Slot) -> str:
        return "\n  ".join(
            [f"{self._title(slot)}: its command status says that it does not run", *self.logs(slot, LAST_WORDS)]
        )

    # start and stop

    def check(self, slot: Slot) -> None:
        self._programs(slot)
        if self.status(slot):
            what = f"{self._title(slot)} is already running"
            raise Failed(what, next_step=f"proxyswitch stop {self._title(slot)}")
        if net.is_listening(slot.endpoint):
            who = describe(holders(slot.endpoint))
            what = f"{slot.endpoint}, where {self._title(slot)} should listen, is taken by {who}"
            raise UsageError(what, next_step="stop it by hand")

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:  # noqa: ARG002  # a version is a name here
        self.check(slot)
        known = self._begin(slot, Known(version, clock.wall(), str(self._logs.new(slot.name))))
        self._try(slot, known)
        self._carry_out(slot, known, "start")
        return self._up(slot)

    def _begin(self, slot: Slot, known: Known) -> Known:
        files.make_folder(self._context.folder)
        self._memory.save(slot.name, known)
        self._logs.rotate(slot.name)
        return known

    def _try(self, slot: Slot, known: Known) -> None:
        """The command `check` looks at a version before anything is done with it."""
        if self._settings.check:
            self._carry_out(slot, known, "check")

    def _up(self, slot: Slot) -> Instance:
        there = patiently(
            lambda: self.status(slot),
            float(self._settings.start_timeout),
            self._context.report,
            f"{self._title(slot)} starts",
        )
        if there is None:
            raise Failed(self.obituary(slot))
        return there

    def stop(self, slot: Slot) -> bool:
        known = self._memory.load(slot.name)
        self._end_busy(slot, known)
        if self.status(slot) is None:
            return False
        known = known or self._begin(slot, Known("", clock.wall(), str(self._logs.new(slot.name))))
        self._carry_out(slot, known, "stop", float(self._settings.stop_timeout))
        gone = patiently(
            lambda: None if self.status(slot) else True,
            float(self._settings.stop_timeout),
            self._context.report,
            f"{self._title(slot)} stops",
        )
        if gone is None:
            what = f"{self._title(slot)}: the command stop has ended, but the app still runs, says the command status"
            raise NeedsPerson(what, state="it was not stopped", next_step="end it by hand, then run this again")
        return True

    # a release in place

    def check_reload(self, slot: Slot, version: str) -> None:  # noqa: ARG002
        self._programs(slot)
        if self.status(slot) is None:
            raise Failed(f"{self._title(slot)} does not run", next_step=f"proxyswitch start {self._title(slot)}")

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:  # noqa: ARG002
        there = self.status(slot)
        old = there.version if there else ""
        before = self._memory.load(slot.name) or Known(old, clock.wall(), "")
        tried = replace(before, log=str(self._logs.new(slot.name)), version=version, since=clock.wall())
        self._begin(slot, replace(tried, version=old))
        self._try(slot, tried)
        self._begin(slot, replace(tried, old=old))
        self._carry_out(slot, replace(tried, old=old), "reload")
        return self._up(slot)

    def revert(self, slot: Slot, moved: Moved) -> None:  # noqa: ARG002
        """By the command `revert`, or by a reload with the version before."""
        known = self._memory.load(slot.name)
        self._end_busy(slot, known)
        if known is None or known.old is None:
            return
        back = replace(known, version=known.old, old=known.version, busy=None)
        try:
            self._carry_out(slot, back, "revert" if self._settings.revert else "reload")
            self._up(slot)
        except ProxyswitchError as error:
            state = f"version {known.version} may still run; going back to {known.old or 'the one before'} was tried"
            raise NeedsPerson(error.what, state=state, next_step=error.next_step or "mend it by hand") from error
        self._memory.save(slot.name, replace(back, old=None))

    def confirm(self, slot: Slot) -> None:
        known = self._memory.load(slot.name)
        self._end_busy(slot, known)
        if known is None or known.old is None:
            return
        if self._settings.confirm:
            self._carry_out(slot, known, "confirm")
        self._memory.save(slot.name, replace(known, old=None, busy=None))

    # the commands

    def _carry_out(self, slot: Slot, known: Known, key: str, timeout: float = 0) -> Ended:
        """Run one. Raises Failed, with the last lines it wrote, unless it ends with 0 in time.

        What is remembered of a version that is being undone stays until it is done.
        """
        words, stored = self._words(slot), self._memory.load(slot.name) or known
        env = words.environment(key, known.version, known.old or "")
        what = run.Detached(words.argv(key, known.version), env, known.log, self._settings.cwd or None)
        limit = timeout or float(self._settings.start_timeout)
        title = f"{self._title(slot)}: the command {key} runs"

        def begun(process: ProcessId) -> None:
            self._memory.save(slot.name, replace(stored, busy=process))

        ended = carry_out(what, limit, begun, self._context.report, title)
        self._memory.save(slot.name, replace(stored, busy=None))
        if not ended.ok:
            step = f"its log: {known.log}{f'; then: proxyswitch stop {self._title(slot)}' if key == 'stop' else ''}"
            raise Failed(f"{self._title(slot)}: the command {key} {ended.reason()}", next_step=step)
        return ended

    def _end_busy(self, slot: Slot, known: Known | None) -> None:
        """A command that a killed run has left is ended before another one begins."""
        if known and known.busy and proc.alive(known.busy):
            self._context.report(f"{self._title(slot)}: ending a command that an interrupted run left ({known.busy.pid})")
            end_group(known.busy)

    def _words(self, slot: Slot) -> Words:
        return Words(self._context.name, self._context.app.pool, self._settings, slot)

    def _title(self, slot: Slot) -> str:
        return f"{self._context.name}:{slot.name}"


def _version(out: str) -> str:
    """The version, where the first line that `status` prints is one word."""
    first = out.strip().partition("\n")[0].split()
    return first[0] if len(first) == 1 else ""
