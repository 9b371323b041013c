"""docs/kinds.md: what generate can make, and the variables of its templates."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.generate import versions
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.kinds import KINDS, load
from proxyswitch.generate.quoting import FILTERS, shown
from proxyswitch.generate.value import Value

HEAD = """\
# What generate makes

This page is written by `scripts/gen_docs.py` from the kinds themselves. Do not edit it by hand. How to use them is in
[guide-generate.md](guide-generate.md).

Each variable is an option of the command too: `keepalive` is `--keepalive`. A template of your own has the name of the one
that it stands for, and these variables; what it puts out must pass one of the filters, or the run ends with exit 2."""


def page() -> str:
    """The whole page."""
    kinds = [load(name) for name in KINDS]
    parts = [HEAD, "## Everywhere", _everywhere(), "\n".join(_filters())]
    for kind in kinds:
        parts += _kind(kind)
    return "\n\n".join(parts) + "\n"


def _everywhere() -> str:
    rows = ["| variable | what it is |", "|---|---|"]
    for name, about in (("nginx", versions.Nginx), ("haproxy", versions.Haproxy)):
        rows.append(f"| `{name}.version`, `{name}.openssl` | Numbers, the greatest first: `(1, 26, 3)`. |")
        for key, member in vars(about).items():
            if isinstance(member, property):
                rows.append(f"| `{name}.{key}` | {_line(member.__doc__)} |")
    return "\n".join(rows)


def _filters() -> Iterator[str]:
    yield from ("| filter | what it writes |", "|---|---|")
    for name, function in FILTERS.items():
        yield f"| `{name}` | {_line(function.__doc__)} |"


def _kind(kind: Kind) -> Iterator[str]:
    yield f"## {kind.name}"
    yield kind.title
    yield "\n".join(f"- `{part.path}`, by the template `{part.template}`{_tested(part)}" for part in kind.parts)
    yield "\n".join(_variables(kind))


def _tested(part: Part) -> str:
    return f"; tested by {part.check.partition('-')[0]}" if part.check else ""


def _variables(kind: Kind) -> Iterator[str]:
    yield from ("| variable | what it is | default |", "|---|---|---|")
    for value in kind.values:
        yield f"| `{value.key}` | {_cell(value.help)}{' A list.' if value.many else ''} | {_default(value)} |"
    for key, about in kind.variables.items():
        yield f"| `{key}` | {_cell(about)} | from the others |"


def _default(value: Value) -> str:
    if value.required:
        return "required"
    if callable(value.default):
        return ""
    if value.default in ("", (), None):
        return "none"
    several = value.default if isinstance(value.default, tuple) else (value.default,)
    return ", ".join(f"`{shown(default)}`" for default in several)


def _line(text: str | None) -> str:
    return _cell(" ".join((text or "").split("\n\n")[0].split()))


def _cell(text: str) -> str:
    return text.partition(" [default")[0].replace("|", "\\|")
