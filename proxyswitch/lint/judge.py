"""From what the rules say to findings: what is ignored goes, comments that ignore nothing are told, all is put in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from proxyswitch.conf.text import line_span, position
from proxyswitch.lint.finding import Finding, Found, Rule, Text
from proxyswitch.lint.ignores import Ignores, comments
from proxyswitch.lint.options import Options


def judge(texts: Iterable[Text], rules: Mapping[str, Any], config: object, options: Options) -> list[Finding]:
    """The findings of the rules that are wanted for a config that lies in these files, in the order of files and lines.

    `rules` are modules with a `check(config)` that yields what was found.
    """
    wanted = {name: rule for name, rule in rules.items() if options.wants(name)}
    ignores = {text.path: Ignores(text, comments(text.data)) for text in texts}
    found = [one for rule in wanted.values() for one in _of_rule(rule, config, ignores)]
    found += _about_comments(ignores.values(), wanted, options)
    order = {path: number for number, path in enumerate(ignores)}
    return sorted(dict.fromkeys(found), key=lambda f: (order[f.path], f.line, f.column, f.rule))


def _of_rule(rule: Any, config: object, ignores: Mapping[str, Ignores]) -> Iterator[Finding]:
    for found in rule.check(config):
        finding = place(rule, found)
        if not ignores[found.text.path].has(finding.rule, (finding.line,)):
            yield finding


def place(rule: Rule, found: Found) -> Finding:
    """The finding with its line and column."""
    data, line = found.text.data, position(found.text.data, found.at).line
    before = data[line_span(data, found.at).start : found.at]
    column = len(before.decode("utf-8", "replace")) + 1
    return Finding(found.text.path, line, column, rule.ID, rule.LEVEL, found.message, found.fixes)


def _about_comments(ignores: Iterable[Ignores], ran: Iterable[str], options: Options) -> Iterator[Finding]:
    """What is wrong with the comments themselves; asked last, when it is known which of them were of use."""
    from proxyswitch.lint.rules import comment

    known = [one for one in ignores if one.all]
    for rule in comment.RULES.values() if known else ():
        if options.wants(rule.ID):
            yield from map(partial(place, rule), (found for one in known for found in rule.check(one, ran)))
