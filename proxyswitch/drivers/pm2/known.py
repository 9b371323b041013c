"""What the PM2 driver must know in its next run: what it has brought up, and what it can go back to."""

from __future__ import annotations

import os

from msgspec import Struct
from msgspec.structs import replace

from proxyswitch.drivers._memory import Memory
from proxyswitch.model import ProcessId
from proxyswitch.system import proc

NOBODY = ProcessId(0, 0)


class Before(Struct, frozen=True):
    """What a reload goes back to until it is confirmed: the version, its processes, and where the link led."""

    version: str
    workers: list[ProcessId]
    link: str = ""


class Known(Struct, frozen=True):
    """A version that we gave PM2: its processes, in which start of the machine, by which run of ours and which daemon."""

    version: str
    workers: list[ProcessId] = []
    boot: str = ""
    by: ProcessId = NOBODY
    before: Before | None = None
    daemon: ProcessId = NOBODY

    @property
    def ours(self) -> bool:
        """True in the very run that has brought it up."""
        return self.by == me()

    @property
    def orphaned(self) -> bool:
        """True when the daemon has ended in the very run that had it start this: then what else it ran may be gone too."""
        return self.ours and self.daemon != NOBODY and not proc.alive(self.daemon)

    @property
    def whole(self) -> bool:
        return bool(self.workers) and all(map(proc.alive, self.workers))


def me() -> ProcessId:
    """This run of the program."""
    return proc.identify(os.getpid()) or NOBODY


def load(memory: Memory[Known], slot: str) -> Known | None:
    """What is remembered; after another start of the machine its processes are gone, but the way back is not."""
    found = memory.load(slot)
    if found is None or found.boot == proc.boot():
        return found
    before = found.before and replace(found.before, workers=[])
    return replace(found, workers=[], by=NOBODY, before=before)
