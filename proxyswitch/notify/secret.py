"""Where a notifier's URL and headers come from. They may be secrets: no error here shows a value."""

from __future__ import annotations

import os
import re
import stat
from urllib.parse import urlsplit

from proxyswitch.errors import SettingsError
from proxyswitch.settings_notify import VARIABLE, Notify
from proxyswitch.system import files

LARGEST = 1 << 16


def address(entry: Notify) -> str:
    """The URL, for apprise or for a POST. Raises SettingsError when it cannot be known."""
    path = entry.url_file or entry.apprise_file
    found = _read(path) if path else fill(entry.url or entry.apprise)
    if entry.way == "url" and not found.startswith(("http://", "https://")):
        raise SettingsError("the URL does not begin with http:// or https://")
    return found


def fill(text: str) -> str:
    """The text, with the variables of the environment that it names. Raises SettingsError for one that is not set."""
    for name in VARIABLE.findall(text):
        if not os.environ.get(name, "").strip():
            what = f"the environment variable {name} is not set"
            raise SettingsError(what, next_step="set it where releases are run")
    return VARIABLE.sub(lambda found: os.environ[found[1]].strip(), text)


def _read(path: str) -> str:
    """The one line of a file; what is no file, as a pipe that nobody fills, is not opened. Raises SettingsError."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise SettingsError(f"{path} is no file")
        text = files.read_from(path, 0, LARGEST).decode().strip()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is no text") from None
    if len(text.split()) != 1:
        raise SettingsError(f"{path} must hold one URL, and nothing else")
    return text


def is_open(path: str) -> bool:
    """True when everybody may read or write that file."""
    try:
        return bool(os.stat(path).st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False


def label(entry: Notify) -> str:
    """What may be said of it: scheme and host of a URL; of one for apprise the scheme alone, for its host may be the key."""
    try:
        found = "" if entry.way == "command" else address(entry)
        parts = urlsplit(found)
        place = ":".join(map(str, filter(None, (parts.hostname, parts.port))))
    except (SettingsError, ValueError):
        return entry.way
    if "://" not in found or not re.fullmatch(r"[a-z0-9]+", parts.scheme):
        return entry.way
    return f"{parts.scheme}://{place}" if entry.way == "url" and "@" not in parts.path else parts.scheme
