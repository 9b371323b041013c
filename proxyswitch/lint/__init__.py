"""Lint: what is wrong in files before anybody runs them. It touches nothing: it gets bytes and returns findings.

A kind of file is a package here (`sql`) with a row below, and its rules are in `rules/`, one file a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.options import Options

if TYPE_CHECKING:  # only nginx's files name others
    from proxyswitch.conf.nginx.chain import Names

Run = Callable[[Sequence[Source], Options, "Names | None"], list[Finding]]


def _haproxy(sources: Sequence[Source], options: Options, _names: Names | None) -> list[Finding]:
    from proxyswitch.lint.haproxy import run

    return run.findings(sources, options)


def _nginx(sources: Sequence[Source], options: Options, names: Names | None) -> list[Finding]:
    from proxyswitch.lint.nginx import run

    return run.findings(sources, options, *([names] if names else ()))


def _settings(sources: Sequence[Source], options: Options, _names: Names | None) -> list[Finding]:
    from proxyswitch.lint.settings import run

    return run.findings(sources, options)


def _sql(sources: Sequence[Source], options: Options, _names: Names | None) -> list[Finding]:
    from proxyswitch.lint.sql import judge

    return [finding for source in sources for finding in judge.findings(source, options)]


# Each is loaded for a file of its kind: it costs time at the start.
KINDS: dict[str, Run] = {
    "haproxy": _haproxy,
    "nginx": _nginx,
    "settings": _settings,
    "sql": _sql,
}


def run(sources: Sequence[Source], kind: str, options: Options, names: Names | None = None) -> list[Finding]:
    """What is found in files of a kind; `names` are the files that these include. Raises ConfigError when one cannot be read
    as that kind at all."""
    found = KINDS[kind](sources, options, names)
    return [one for one in found if not options.spares(one.path, one.rule)] if options.per_file else found
