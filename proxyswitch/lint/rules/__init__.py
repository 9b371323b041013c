"""All rules. A kind of file has a package here, with its own rows; it is loaded when it is asked for: that costs time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from proxyswitch.lint.finding import Rule
from proxyswitch.lint.near import near


def _comment() -> Mapping[str, Rule]:
    from proxyswitch.lint.rules import comment

    return comment.RULES


def _haproxy() -> Mapping[str, Rule]:
    from proxyswitch.lint.rules import haproxy

    return haproxy.RULES


def _nginx() -> Mapping[str, Rule]:
    from proxyswitch.lint.rules import nginx

    return nginx.RULES


def _settings() -> Mapping[str, Rule]:
    from proxyswitch.lint.rules import settings

    return settings.RULES


def _sql() -> Mapping[str, Rule]:
    from proxyswitch.lint.rules import sql

    return sql.RULES


KINDS: dict[str, Callable[[], Mapping[str, Rule]]] = {
    "comment": _comment,
    "haproxy": _haproxy,
    "nginx": _nginx,
    "settings": _settings,
    "sql": _sql,
}


def every() -> dict[str, Rule]:
    """All rules, by name."""
    return {name: rule for kind in KINDS.values() for name, rule in kind().items()}


SERVER = "server"  # what the servers themselves say: no rules of ours


def wrong(name: str) -> str:
    """What is wrong with the name of a rule, or of a kind of rules; '' for a good one."""
    if name in KINDS or name.partition("/")[0] == SERVER or known(name):
        return ""
    close = near(name, [*KINDS, *every()])
    return f"there is no rule {name!r}{f': did you mean {close!r}?' if close else ''}"


def known(name: str) -> bool:
    """Whether there is a rule of that name."""
    kind = name.partition("/")[0]
    return kind in KINDS and name in KINDS[kind]()
