"""Which release a gunicorn is to run, on disk: the link, the file with its environment, and what leads back to the last."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from proxyswitch.drivers import _current
from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers.gunicorn.words import Words
from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import files, proc


class Undo(Struct, frozen=True):
    """The way back: the master and its workers as they were, where the link led, and the text of the file, if any."""

    master: ProcessId
    workers: list[ProcessId]
    link: str
    env: str | None


NOBODY = ProcessId(0, 0)


class Known(Struct, frozen=True):
    """What was brought up last: its version, and the master, of that start of the machine."""

    version: str
    master: ProcessId
    boot: str
    undo: Undo | None = None


class Site:
    """The link, the file and the memory of one slot."""

    def __init__(self, words: Words, memory: Memory[Known]) -> None:
        self._words, self._memory = words, memory
        self._current, self._env_file = words.settings.current, words.settings.env_file

    def known(self) -> Known | None:
        """What is remembered; after another start of the machine its processes are gone, but the way back is not."""
        found = self._memory.load(self._words.slot.name)
        if found is None or found.boot == proc.boot():
            return found
        undo = found.undo and replace(found.undo, master=NOBODY, workers=[])
        return replace(found, master=NOBODY, undo=undo)

    def remember(self, version: str, master: ProcessId, undo: Undo | None = None) -> None:
        self._memory.save(self._words.slot.name, Known(version, master, proc.boot(), undo))

    def forget(self) -> None:
        self._memory.forget(self._words.slot.name)

    def version(self) -> str:
        """The version that the link means; empty where it means none."""
        return self._words.version(_current.points_to(self._current))

    def folder(self, version: str) -> str:
        """The folder of a version. Raises UsageError when it is not there."""
        folder = self._words.folder(self._words.target(version))
        if not os.path.isdir(folder):
            raise UsageError(f"there is no folder {folder}", next_step="put the release there first, in the hook prepare")
        return folder

    def undo(self, master: ProcessId, workers: list[ProcessId]) -> Undo:
        """How it is now."""
        return Undo(master, workers, _current.points_to(self._current), self._env())

    def lay(self, version: str) -> None:
        """Let all lead to that version."""
        if self._env_file:
            self._write(self._words.env_file(version))
        _current.move(self._current, self._words.target(version))

    def lay_back(self, undo: Undo) -> None:
        """Let all lead to where it led before."""
        if self._env_file and undo.env is not None:
            self._write(undo.env)
        elif self._env_file:
            files.remove(self._env_file)
        _current.back(self._current, undo.link)

    def _env(self) -> str | None:
        try:
            return files.read_text(self._env_file) if self._env_file else None
        except FileNotFoundError:
            return None
        except OSError as error:
            what = f"{self._env_file}: cannot read: {error.strerror}"
            raise UsageError(what, next_step="run it as a user who may") from error

    def _write(self, text: str) -> None:
        """A file that is there keeps its owner and mode; a new one is for the app's user only: it may hold secrets."""
        real, data = os.path.realpath(self._env_file), text.encode()
        if os.path.exists(real):
            files.rewrite(real, data, "env")
            return
        files.make_folder(Path(real).parent, 0o755)
        files.replace(real, data)
        if self._words.settings.user:
            shutil.chown(real, self._words.settings.user)
