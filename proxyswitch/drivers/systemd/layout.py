"""What a release lays ready for its unit: the environment, as a drop-in or a file, and the link `current`; and back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from msgspec import Struct

from proxyswitch.drivers import _current
from proxyswitch.drivers._words import facts, fill
from proxyswitch.drivers.systemd.manager import SYSTEM, State
from proxyswitch.errors import UsageError
from proxyswitch.model import Slot
from proxyswitch.settings_runners import Systemd
from proxyswitch.system import files

DROP_IN = "50-proxyswitch.conf"
HEADER = "# Written by proxyswitch at each release of {}, anew.\n"
MARK = HEADER.partition("{")[0]
LITTER = re.compile(r"[\0-\x08\n-\x1f\x7f\ud800-\udfff]")
IN_DROP_IN = re.compile(r'^Environment="APP_VERSION=(.*)"$', re.M)
IN_FILE = re.compile(r'^APP_VERSION="(.*)"$', re.M)


class Laid(Struct, frozen=True):
    """What lay there: the text of the file, and where the link pointed; None and "" for what was not there."""

    text: str | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one slot."""

    app: str
    settings: Systemd
    slot: Slot
    unit: str

    @property
    def drop_in(self) -> bool:
        """True where systemd must read its files again before they count."""
        return not self.settings.environment_file

    @property
    def path(self) -> str:
        if self.settings.environment_file:
            return fill(self.settings.environment_file, self.slot, "")
        return os.path.join(units(self.settings.scope), f"{self.unit}.d", DROP_IN)

    @property
    def link(self) -> str:
        return fill(self.settings.current, self.slot, "")

    def environment(self, version: str) -> dict[str, str]:
        env = facts(self.app, self.slot, version)
        return env | {key: fill(value, self.slot, version) for key, value in self.settings.env.items()}

    def text(self, version: str) -> str:
        """Raises UsageError for a value that such a file cannot hold."""
        env = self.environment(version)
        for key, value in env.items():
            if LITTER.search(value):
                raise UsageError(
                    f"{key} cannot be given to {self.unit}: it has a line break or another character in it that is no text"
                )
        return HEADER.format(self.app) + (drop_in(env) if self.drop_in else environment_file(env))

    def seen(self) -> Laid:
        """What lies there now."""
        return Laid(_read(self.path), _current.points_to(self.link) if self.link else "")

    def version(self) -> str:
        """The version that the unit gets when it starts; empty where that cannot be known."""
        try:
            text = _read(self.path)
        except UsageError:
            return ""
        found = (IN_DROP_IN if self.drop_in else IN_FILE).search(text or "")
        return _unquoted(found[1], percent=self.drop_in) if found else ""

    def lay(self, version: str) -> None:
        """Lay a version ready. Raises UsageError, before anything is written, when its folder is not there."""
        text = self.text(version)
        if self.link:
            _current.move(self.link, fill(self.settings.release, self.slot, version))
        self._write(text)

    def back(self, laid: Laid) -> None:
        """Let all be as it was."""
        if self.link:
            _current.back(self.link, laid.link)
        if laid.text is None:
            files.remove(self.path)
        else:
            self._write(laid.text)

    def _write(self, text: str) -> None:
        folder = os.path.dirname(self.path)
        try:
            files.open_folder(folder)
        except OSError as error:
            what = f"{folder}: cannot be made: {error.strerror}"
            raise UsageError(what, next_step="run it with sudo, or name an environment_file that you may write") from error
        files.clear(folder)
        files.replace(self.path, text.encode(), 0o644 if self.drop_in else 0o600)  # a unit's files are no secret to systemd

    def faults(self, state: State) -> Iterator[UsageError]:
        """Why a release could not be laid ready, or its unit would not see it."""
        where = f"apps.{self.app}.systemd.environment_file"
        named = [line.rpartition(" (")[0] for line in state.says("EnvironmentFiles").split("\n")]
        if not self.drop_in and self.path not in named:
            step = f"add to its [Service]: EnvironmentFile={self.path}"
            yield UsageError(f"{where}: {self.unit} does not read {self.path}", next_step=step)
        try:
            text = _read(self.path)
        except UsageError as error:
            yield error
            return
        if text is not None and not text.startswith(MARK):
            step = "name a file that is proxyswitch's own; a unit can have several EnvironmentFile= lines"
            yield UsageError(f"{self.path} was written by somebody else, and would be lost", next_step=step)
        for folder in (os.path.dirname(self.path), os.path.dirname(self.link) if self.link else ""):
            yield from _unwritable(folder)


def units(scope: str) -> str:
    """Where drop-ins of ours go."""
    if scope == SYSTEM:
        return "/etc/systemd/system"
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(config, "systemd/user")


def drop_in(env: Mapping[str, str]) -> str:
    """As systemd reads it: a percent sign is a specifier, a backslash an escape."""
    return "[Service]\n" + _lines(env, lambda key, value: f'Environment="{key}={_quoted(value, percent=True)}"')


def environment_file(env: Mapping[str, str]) -> str:
    """As systemd and a shell read it."""
    return _lines(env, lambda key, value: f'{key}="{_quoted(value, percent=False)}"')


def _lines(env: Mapping[str, str], line: Callable[[str, str], str]) -> str:
    return "".join(f"{line(key, value)}\n" for key, value in env.items())


def _quoted(value: str, *, percent: bool) -> str:
    if percent:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return re.sub(r'([\\"$`])', r"\\\1", value)


def _unquoted(value: str, *, percent: bool) -> str:
    plain = re.sub(r"\\(.)", r"\1", value)
    return plain.replace("%%", "%") if percent else plain


def _read(path: str) -> str | None:
    try:
        return files.read(path).decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}", next_step="run it with sudo") from error


def _unwritable(folder: str) -> Iterator[UsageError]:
    """A folder that is there and not ours to write; or what it would be made in."""
    place = folder
    while place and not os.path.lexists(place):
        place = os.path.dirname(place)
    if place and not os.access(place, os.W_OK | os.X_OK):
        step = "run it with sudo, or let the app run in your own manager: scope in its systemd table"
        yield UsageError(f"{place}: no permission to write there", next_step=step)
