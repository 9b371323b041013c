"""What the systemd driver must know in its next run: the version that it gave a unit, and what it can go back to."""

from __future__ import annotations

import os

from msgspec import Struct

from proxyswitch.drivers.systemd.layout import Laid
from proxyswitch.model import ProcessId
from proxyswitch.system import proc

NOBODY = ProcessId(0, 0)


class Before(Struct, frozen=True):
    """What a reload goes back to until it is confirmed."""

    version: str
    invocation: str
    laid: Laid


class Known(Struct, frozen=True):
    """A version that we gave a unit: in which start of it, and which run of ours did that."""

    version: str
    invocation: str = ""
    by: ProcessId = NOBODY
    before: Before | None = None


def me() -> ProcessId:
    """This run of the program."""
    return proc.identify(os.getpid()) or NOBODY
