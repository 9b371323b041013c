"""The HAProxy files of a run → their findings."""

from __future__ import annotations

from collections.abc import Sequence

from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.haproxy.load import load
from proxyswitch.lint.judge import judge
from proxyswitch.lint.options import Options
from proxyswitch.lint.rules.haproxy import RULES


def findings(sources: Sequence[Source], options: Options) -> list[Finding]:
    """Files of one group are one config; each other file is one by itself."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(source.group or source.path, []).append(source)
    configs = [load(group) for group in groups.values()]
    return [finding for config in configs for finding in judge(config.documents, RULES, config, options)]
