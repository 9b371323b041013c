"""proxyswitch cannot use its settings: a key is misspelt, a value is wrong, or it is no TOML.

Every command that needs the file then ends with exit 2: it is better to learn that before a release than in one. All keys:
docs/settings.md.

FAIL
    [apps.web]
    pool = "app_backend"
    slots = { blue = "127.0.0.1:3001", green = "127.0.0.1:3002" }
    drian = "30s"
    process = { command = "run" }

FAIL
    [apps.web
    pool = "app_backend"

FAIL
    [lint]
    ignore = ["nginx/single-servr"]

PASS
    [apps.web]
    pool = "app_backend"
    slots = { blue = "127.0.0.1:3001", green = "127.0.0.1:3002" }
    drain = "30s"
    process = { command = "run" }

    [lint]
    ignore = ["nginx/single-server"]
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.places import offset
from proxyswitch.lint.settings.document import Document

ID = "settings/invalid"
LEVEL: Level = "error"


def check(document: Document) -> Iterator[Found]:
    import tomllib

    from proxyswitch import settings

    try:
        tree = tomllib.loads(document.data.decode())
    except UnicodeDecodeError as error:
        yield Found(document, error.start, "not valid TOML: this is not UTF-8")
    except tomllib.TOMLDecodeError as error:
        yield Found(document, _place(document, str(error)), f"not valid TOML: {error}")
    else:
        faults = [*settings.faults(tree, document.path), *_rules(tree)]
        for fault in dict.fromkeys(faults):
            yield Found(document, document.place(fault.partition(": ")[0]), fault)


def _place(document: Document, message: str) -> int:
    """The place that tomllib names; the end of the text where it names that."""
    import re

    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    if not found:
        return len(document.data.rstrip())
    line = offset(document.data, int(found[1]), 1)
    return line + len(document.data[line:].decode()[: int(found[2]) - 1].encode())


def _rules(tree: dict[str, object]) -> Iterator[str]:
    """Names of rules that there are not, where the table itself is right."""
    from proxyswitch.errors import SettingsError
    from proxyswitch.lint.rules import wrong
    from proxyswitch.settings_convert import convert
    from proxyswitch.settings_lint import Lint

    try:
        lint: Lint = convert(tree.get("lint", {}), Lint, "", "lint")
    except SettingsError:
        return
    yield from (f"lint.{key}: {problem}" for key, name in lint.rules() if (problem := wrong(name)))
