"""The rules of lint by their names: listed, explained, or misspelt."""

from __future__ import annotations

import inspect

from proxyswitch.cli import output
from proxyswitch.errors import UsageError
from proxyswitch.lint import rules


def checked(names: list[str]) -> tuple[str, ...]:
    """These names. Raises UsageError for one that there is not."""
    for problem in filter(None, map(rules.wrong, names)):
        raise UsageError(problem, next_step="look with: proxyswitch lint --list-rules")
    return tuple(names)


def tell(name: str) -> None:
    """Explain a rule; without a name list them all."""
    if name:
        _explain(name)
    else:
        rows = [(n, rule.LEVEL, (inspect.getdoc(rule) or "").partition("\n")[0]) for n, rule in rules.every().items()]
        output.table(("rule", "level", "what it finds"), rows)


def _explain(name: str) -> None:
    """Print what is known of a rule. Raises UsageError for one that there is not."""
    checked([name])
    if not rules.known(name):
        raise UsageError(f"{name!r} is no rule by itself", next_step="look with: proxyswitch lint --list-rules")
    rule = rules.KINDS[name.partition("/")[0]]()[name]
    output.answer(f"{name} ({rule.LEVEL})\n\n{(inspect.getdoc(rule) or '').rstrip()}")
