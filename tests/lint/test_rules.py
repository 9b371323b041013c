"""Every rule does what its docstring says: its examples are the cases. Without both kinds the collection fails."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from proxyswitch.lint.examples import Example, examples, prose
from proxyswitch.lint.finding import LEVELS, Finding
from proxyswitch.lint.rules import KINDS, every
from tests.lint.helpers import in_config, in_sql, of_words

SQL_WORDS = {"mysql", "postgres", "sqlite", "expand", "contract"}
RULES = every()


def cases() -> list[tuple[str, Example]]:
    """The examples of all rules. Raises ValueError for a rule without one that fires, or without one that must not."""
    all_ = [(name, e) for name, rule in RULES.items() for e in examples(inspect.getdoc(rule) or "")]
    for name in RULES:
        if {e.fires for n, e in all_ if n == name} != {True, False}:
            raise ValueError(f"the rule {name} needs a FAIL and a PASS example in its docstring")
    return all_


CASES = cases()


def kind_of(name: str, words: Iterable[str]) -> str:
    """The kind of an example's text: that of its rule; of one about comments the word that says so, else nginx."""
    kind = name.partition("/")[0]
    return next((word for word in words if word in KINDS), "nginx") if kind == "comment" else kind


def judged(name: str, example: Example) -> list[Finding]:
    kind = kind_of(name, example.words)
    if kind != "sql":
        assert set(example.words) <= {kind}
        return in_config(kind, example.text)
    words = tuple(word for word in example.words if word != "sql")
    assert set(words) <= SQL_WORDS
    return in_sql(example.text, ask=(name,), **of_words(words))


@pytest.mark.parametrize(("name", "example"), CASES, ids=lambda x: x if isinstance(x, str) else str(x.fires))
def test_a_rule_does_what_its_examples_say(name: str, example: Example) -> None:
    fired = judged(name, example)
    assert any(f.rule == name for f in fired) == example.fires, fired


@pytest.mark.parametrize(("name", "example"), [c for c in CASES if not c[1].fires], ids=lambda x: str(x)[:30])
def test_what_passes_breaks_no_other_rule(name: str, example: Example) -> None:
    """So that a recipe never leads from one finding to the next; in a config, which is a short one here, to no error."""
    strict = kind_of(name, example.words) == "sql"
    optional = [f for f in judged(name, example) if f.rule == name] if strict else []
    assert [f for f in judged(name, example) if f not in optional and (strict or f.level == "error")] == []


@pytest.mark.parametrize("name", list(RULES))
def test_a_rule_is_one_file_of_its_name_and_says_what_to_do(name: str) -> None:
    rule, (kind, _, stem) = RULES[name], name.partition("/")
    assert name == rule.ID
    assert Path(inspect.getfile(rule)).parts[-2:] == (kind, f"{stem.replace('-', '_')}.py")  # type: ignore[arg-type]
    assert rule.LEVEL in LEVELS
    title, _, _ = prose(inspect.getdoc(rule) or "").partition("\n")
    assert re.fullmatch(r".{10,110}\.", title)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_registry_is_sorted_and_whole(kind: str) -> None:
    assert list(KINDS) == sorted(KINDS)
    package = importlib.import_module(f"proxyswitch.lint.rules.{kind}")
    assert list(package.RULES) == sorted(package.RULES)
    files = {p.stem for p in Path(str(package.__file__)).parent.glob("*.py") if not p.name.startswith("_")}
    assert {name.partition("/")[2].replace("-", "_") for name in package.RULES} == files


def test_the_examples_of_a_docstring() -> None:
    doc = "Title.\n\nWhy.\n\nFAIL (mysql, contract)\n    A;\n\n    B;\n\nPASS\n    C;\n"
    assert examples(doc) == [Example(True, ("mysql", "contract"), "A;\n\nB;\n"), Example(False, (), "C;\n")]
    assert prose(doc) == "Title.\n\nWhy."
