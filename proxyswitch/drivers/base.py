"""What a driver does: start, stop and describe the version that runs in a slot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proxyswitch.model import Instance, Problem, Slot
from proxyswitch.settings import App


@dataclass(frozen=True, slots=True)
class Context:
    """What a driver knows: the app's name and settings, and the folder where it keeps what it must remember."""

    name: str
    app: App
    folder: Path


class Driver(Protocol):
    """An app runner. Every method raises ProxyswitchError with a message for the user when it cannot do its work."""

    def __init__(self, context: Context) -> None: ...

    def check(self, slot: Slot) -> None:
        """Raise unless a version could be started in that slot now (the place is free, the program is there)."""

    def start(self, slot: Slot, version: str) -> Instance:
        """Start that version in the slot; it need not be ready yet."""

    def stop(self, slot: Slot) -> bool:
        """Stop what runs in the slot, in grace first. True when something was stopped, False when nothing ran."""

    def status(self, slot: Slot) -> Instance | None:
        """What runs in the slot; None when nothing does."""

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        """The last lines that the instance wrote."""

    def obituary(self, slot: Slot) -> str:
        """Why the instance is gone, as far as it can be known: its exit status."""

    def problems(self) -> list[Problem]:
        """What `doctor` should say about this runner."""
