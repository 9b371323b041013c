"""What the working folder says of lint.

`[lint]` of its proxyswitch.toml counts, else `[tool.proxyswitch.lint]` of its pyproject.toml. No other file does, so that
findings do not depend on the machine. Without such a table nothing of settings is loaded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from proxyswitch.errors import ConfigError, SettingsError

if TYPE_CHECKING:  # it costs time at the start, and most folders have none
    from proxyswitch.settings_lint import Lint

# file → the way to its table, and the tables on it that are ours alone
PLACES = {"proxyswitch.toml": ("lint",), "pyproject.toml": ("tool", "proxyswitch", "lint")}


def load() -> Lint | None:
    """The table, if there is one. Raises SettingsError."""
    for name, keys in PLACES.items():
        table = _table(name, keys)
        if table is not None:
            return _read(table, name, ".".join(keys))
    return None


def _table(name: str, keys: tuple[str, ...]) -> Any:
    from proxyswitch.system import files

    try:
        data = files.read(name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{name}: cannot be read: {error.strerror}") from None
    if keys[-1].encode() not in data:
        return None
    import tomllib

    try:
        tree: Any = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: not valid TOML: {error}") from None
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _read(table: Any, name: str, prefix: str) -> Lint:
    from proxyswitch.lint.rules import wrong
    from proxyswitch.settings_convert import convert
    from proxyswitch.settings_lint import Lint, lint_faults

    lint: Lint = convert(table, Lint, name, prefix)
    problems = [*lint_faults(lint), *(f"{key}: {problem}" for key, rule in lint.rules() if (problem := wrong(rule)))]
    for problem in problems:
        raise SettingsError(f"{name}: {prefix}.{problem}")
    return lint


def expand(globs: list[str]) -> list[str]:
    """The files that `files` names. Raises ConfigError for a glob that finds none."""
    import glob

    found: list[str] = []
    for pattern in globs:
        names = sorted(glob.glob(pattern, recursive=True), key=os.fsencode)
        if not names:
            raise ConfigError(f"lint.files: {pattern!r} names nothing that is here", next_step="mend it, or name the files")
        found += names
    return found
