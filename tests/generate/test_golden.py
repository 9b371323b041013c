"""What each kind makes, to be read in fixtures/generate."""

from __future__ import annotations

import pytest

from proxyswitch.generate.kinds import KINDS, load
from tests.generate.cases import CASES
from tests.generate.golden import FOLDER
from tests.generate.support import files


@pytest.mark.parametrize("name", CASES)
def test_what_is_made_is_as_it_was_read(name: str) -> None:
    """To make them anew: python -m tests.generate.golden."""
    there = {path.name: path.read_text() for path in (FOLDER / name).iterdir()}
    assert files(CASES[name]) == there


def test_every_kind_has_a_case_and_every_golden_file_too() -> None:
    assert {words.split()[0] for words in CASES.values()} == set(KINDS)
    assert {path.name for path in FOLDER.iterdir()} == set(CASES)


def test_the_registry_is_sorted_and_each_module_has_its_name() -> None:
    assert list(KINDS) == sorted(KINDS)
    assert [load(name).name for name in KINDS] == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_says_what_it_is(name: str) -> None:
    kind = load(name)
    assert kind.title.endswith(".")
    assert all(value.help.endswith((".", "]")) for value in kind.values)
    assert len({value.key for value in kind.values}) == len(kind.values)
