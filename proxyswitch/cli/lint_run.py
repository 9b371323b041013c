"""From the words of `lint` to findings: files are read, judged, perhaps fixed, and the servers asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxyswitch.cli import output
from proxyswitch.cli.lint_files import STDIN, collect
from proxyswitch.errors import ProxyswitchError, UsageError
from proxyswitch.lint import run
from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.options import Options

if TYPE_CHECKING:  # it costs time, and most runs fix nothing
    from proxyswitch.lint.fix import Change

ALONE = ("settings", "sql")  # kinds of which each file is judged by itself


@dataclass(frozen=True)
class Work:
    """What is to be looked at."""

    names: list[str]
    kind: str
    stdin_name: str
    fix: bool


@dataclass
class Result:
    """What came of it. `changes` are files as --fix makes them, which ends `fixed` findings."""

    found: list[Finding] = field(default_factory=list)
    errors: list[ProxyswitchError] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    fixed: int = 0
    kinds: dict[str, list[Source]] = field(default_factory=dict)


def judged(work: Work, options: Options) -> Result:
    """Judge all files; what cannot be read hides nothing of the others."""
    files = collect(work.names, work.kind, work.stdin_name)
    result = Result(errors=files.errors, kinds=files.kinds)
    _judge_all(result, options, fix=work.fix)
    return result


def _judge_all(result: Result, options: Options, *, fix: bool) -> None:
    for kind, sources in sorted(result.kinds.items()):
        for group in [[source] for source in sources] if kind in ALONE else [sources]:
            try:
                _judge(group, kind, options, result, fix=fix)
            except UsageError as error:
                result.errors.append(error)


def _judge(sources: list[Source], kind: str, options: Options, result: Result, *, fix: bool) -> None:
    if fix:
        from proxyswitch.lint import fix as fixing

        try:
            fixed = fixing.fix(sources, kind, options)
        except UsageError as error:  # then without
            result.errors.append(error)
        else:
            result.found += fixed.left
            result.changes += fixed.changes
            result.fixed += fixed.mended
            return
    result.found += run(sources, kind, options)


def write(result: Result, work: Work, options: Options) -> None:
    """Make the changes: files on disk, and standard input on standard output, fixed or not. Where a file cannot be written,
    what was found before counts."""
    from proxyswitch.cli import lint_fix
    from proxyswitch.lint.formats import plural

    try:
        lint_fix.write([c for c in result.changes if STDIN not in work.names or c.path != work.stdin_name])
    except ProxyswitchError as error:
        result.errors.append(error)
        result.found, result.changes, result.fixed = [], [], 0
        _judge_all(result, options, fix=False)
    if STDIN in work.names:
        sys.stdout.flush()
        sys.stdout.buffer.write(b"".join(_standard_input(result, work.stdin_name)))
        sys.stdout.flush()
    if result.fixed:
        output.note(f"fixed {plural(result.fixed, 'finding')}")


def _standard_input(result: Result, name: str) -> Iterator[bytes]:
    fixed = {change.path: change.after for change in result.changes}
    for sources in result.kinds.values():
        yield from (fixed.get(name, source.data) for source in sources if source.path == name)


def ask_servers(result: Result, options: Options) -> None:
    """Add what the servers say of the configs as they are now on disk."""
    from proxyswitch.cli import lint_server

    for kind, sources in sorted(result.kinds.items()):
        try:
            said = lint_server.findings(sources, kind)
        except UsageError as error:
            result.errors.append(error)
        else:
            wanted = (one for one in said if options.wants(one.rule) and not options.spares(one.path, one.rule))
            result.found = sorted([*result.found, *wanted], key=lambda f: (f.path, f.line, f.column))
