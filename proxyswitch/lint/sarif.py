"""Findings as SARIF 2.1.0 (OASIS), which GitHub's code scanning and most editors read."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from proxyswitch import __version__
from proxyswitch.lint import rules
from proxyswitch.lint.examples import prose
from proxyswitch.lint.finding import Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"info": "note"}  # what it calls a level


def sarif(findings: Sequence[Finding]) -> str:
    """One log with one run, on one line. Of the rules only those that found something are described."""
    levels = {finding.rule: finding.level for finding in findings}
    numbers = {rule: number for number, rule in enumerate(sorted(levels))}
    driver = {
        "name": "proxyswitch",
        "version": __version__,
        "rules": [_rule(name, _level(levels[name])) for name in numbers],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, numbers[finding.rule]) for finding in findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False)


def _level(level: str) -> str:
    return _LEVELS.get(level, level)


def _rule(name: str, level: str) -> dict[str, Any]:
    """What is known of a rule; of one of a server's, its name."""
    if not rules.known(name):
        return {"id": name, "defaultConfiguration": {"level": level}}
    rule = rules.KINDS[name.partition("/")[0]]()[name]
    doc = inspect.getdoc(rule) or name
    title, _, why = prose(doc).partition("\n")
    return {
        "id": name,
        "shortDescription": {"text": title},
        "fullDescription": {"text": why.strip() or title},
        "help": {"text": doc},
        "defaultConfiguration": {"level": _level(rule.LEVEL)},
    }


def _result(finding: Finding, number: int) -> dict[str, Any]:
    place = {
        "artifactLocation": _location(finding.path),
        "region": {"startLine": finding.line, "startColumn": finding.column},
    }
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": _level(finding.level),
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
    }


def _location(path: str) -> dict[str, str]:
    """A file, from the working folder; one outside it by its whole path."""
    name = os.path.relpath(path)
    if name.split("/")[0] == "..":
        return {"uri": f"file://{quote(os.fsencode(os.path.abspath(path)))}"}
    return {"uri": quote(os.fsencode(name)), "uriBaseId": "%SRCROOT%"}
