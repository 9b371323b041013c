"""The rules about comments that let other rules pass, by name."""

from __future__ import annotations

from proxyswitch.lint.comment import CommentRule
from proxyswitch.lint.rules.comment import unknown_rule, unused_ignore

RULES: dict[str, CommentRule] = {
    "comment/unknown-rule": unknown_rule,
    "comment/unused-ignore": unused_ignore,
}
