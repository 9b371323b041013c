"""How findings are printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from proxyswitch.lint.finding import LEVELS, Finding

KEYS = ("path", "line", "column", "rule", "level", "message")
_COLOURS = {"error": "31", "warning": "33", "info": "36"}  # red, yellow, cyan
_GITHUB = {"info": "notice"}  # what it calls a level


def text(findings: Sequence[Finding], *, colour: bool = False) -> str:
    """A line each, as compilers write it: `path:line:column: level rule: message`."""
    levels = {level: f"\033[{number}m{level}\033[0m" if colour else level for level, number in _COLOURS.items()}
    return "\n".join(f"{f.path}:{f.line}:{f.column}: {levels[f.level]} {f.rule}: {f.message}" for f in findings)


def summary(findings: Sequence[Finding]) -> str:
    """`2 errors, 3 warnings in 4 files`."""
    counts = [(level, sum(f.level == level for f in findings)) for level in reversed(LEVELS)]
    files = len({f.path for f in findings})
    told = ", ".join(f"{number} info" if level == "info" else plural(number, level) for level, number in counts if number)
    return f"{told} in {plural(files, 'file')}" if told else "no findings"


def plural(number: int, word: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {word}{'s' * (number != 1)}"


def as_json(findings: Sequence[Finding]) -> str:
    """One array of objects, on one line."""
    return json.dumps([dict(zip(KEYS, f, strict=False)) for f in findings], ensure_ascii=False)


def github(findings: Sequence[Finding]) -> str:
    """Workflow commands, which GitHub shows beside the line."""
    return "\n".join(
        f"::{_GITHUB.get(f.level, f.level)} file={_property(f.path)},line={f.line},col={f.column},title={_property(f.rule)}"
        f"::{_data(f.message)}"
        for f in findings
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(findings: Sequence[Finding]) -> str:
    """One SARIF log."""
    from proxyswitch.lint import sarif

    return sarif.sarif(findings)


FORMATS: dict[str, Callable[[Sequence[Finding]], str]] = {
    "github": github,
    "json": as_json,
    "sarif": sarif,
    "text": text,
}
