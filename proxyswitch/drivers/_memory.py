"""What a driver must know in its next run: one small JSON file a slot, in the app's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from proxyswitch.errors import UsageError
from proxyswitch.system import files

T = TypeVar("T", bound=msgspec.Struct)


class Memory(Generic[T]):
    """Values of one struct, by slot; written atomically and flushed. Fields added later need a default."""

    def __init__(self, folder: Path, kind: type[T], name: str) -> None:
        self._folder, self._kind, self._name = folder, kind, name

    def path(self, slot: str) -> Path:
        return self._folder / f"{slot}.{self._name}.json"

    def load(self, slot: str) -> T | None:
        """None when there is none or it is damaged. Raises UsageError when it may not be read."""
        path = self.path(slot)
        try:
            return msgspec.json.decode(files.read(path), type=self._kind)
        except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
            return None
        except OSError as error:
            next_step = "run it as the user who released the app, or with sudo"
            raise UsageError(f"{path}: cannot read: {error.strerror}", next_step=next_step) from error

    def save(self, slot: str, value: T) -> None:
        files.make_folder(self._folder)
        files.replace(self.path(slot), msgspec.json.encode(value))

    def forget(self, slot: str) -> None:
        files.remove(self.path(slot))
