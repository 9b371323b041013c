"""Templates: strict, sandboxed, and nothing goes out without a filter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.generate import render, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values, resolve
from proxyswitch.generate.versions import Versions

KIND = Kind(
    "thing",
    "A thing.",
    (
        Value("name", words.name, "Name."),
        Value("size", words.port, "Size.", 7),
        Value("many", words.name, "Names.", (), many=True),
    ),
    (Part("thing.j2", "/etc/{name}.conf"),),
)


def made(folder: Path, template: str, kind: Kind = KIND, **values: str) -> str:
    (folder / "thing.j2").write_text(template)
    (one,) = render.make(
        kind, resolve(kind.values, {"name": "shop", **values}), Versions(), "proxyswitch generate thing", str(folder)
    )
    assert one.path == "/etc/shop.conf"
    return one.text.split("\n", 2)[2]


def test_values_and_versions_are_variables(tmp_path: Path) -> None:
    assert (
        made(tmp_path, "{{ name | nginx }} {{ size | nginx }} {{ nginx.version | join('.') | comment }}\n")
        == "shop 7 1.22\n"
    )


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ name }}", "'shop' is put out without a filter"),
        ("{{ size }}", "7 is put out without a filter"),
        ("{{ name ~ 'x' }}", "without a filter"),
        ("{{ many }}", "without a filter"),
        ("{{ nmae | nginx }}", "'nmae' is undefined"),
        ("{{ nmae }}", "'nmae' is undefined"),
        ("{% if nmae %}{% endif %}", "'nmae' is undefined"),
        ("{{ name.__class__.__mro__ | comment }}", "unsafe"),
        ("{{ many.append('x') | comment }}", "no attribute 'append'"),
        ("{% include '/etc/passwd' %}", "/etc/passwd is not there"),
        ("{% include '../../../../etc/passwd' %}", "is not there"),
        ("a\n{{ name | nginx ", "line 2"),
        ("{{ name | nosuch }}", "No filter named 'nosuch'"),
        ("{{ 'a\nb' | nginx }}", "ends a line"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ range(99999999) | list | length | nginx }}", "Range too big"),
    ],
)
def test_a_template_that_is_wrong_is_named(tmp_path: Path, template: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"template thing\.j2") as caught:
        made(tmp_path, template)
    assert says in caught.value.what


def test_what_is_not_in_the_own_folder_is_ours(tmp_path: Path) -> None:
    kind = replace(KIND, parts=(Part("nginx-upstream.conf.j2", "/x"),))
    with pytest.raises(UsageError, match="is undefined"):
        render.make(kind, resolve(kind.values, {"name": "shop"}), Versions(), "", str(tmp_path))


def test_a_template_or_folder_that_is_not_there(tmp_path: Path) -> None:
    values = resolve(KIND.values, {"name": "shop"})
    with pytest.raises(UsageError, match=r"thing\.j2 is not there"):
        render.make(KIND, values, Versions(), "", str(tmp_path))
    with pytest.raises(UsageError, match="no such folder"):
        render.make(KIND, values, Versions(), "", str(tmp_path / "no"))


def test_values_that_do_not_go_together(tmp_path: Path) -> None:
    def more(values: Values, versions: Versions) -> Values:
        raise ValueError("--size is too small")

    with pytest.raises(UsageError, match="generate thing: --size is too small"):
        made(tmp_path, "", replace(KIND, more=more))


def test_a_part_can_be_left_out(tmp_path: Path) -> None:
    kind = replace(KIND, parts=(Part("thing.j2", "/x", when=lambda values: values["size"] > 7),))
    (tmp_path / "thing.j2").write_text("")
    assert not render.make(kind, resolve(kind.values, {"name": "shop"}), Versions(), "", str(tmp_path))
    assert render.make(kind, resolve(kind.values, {"name": "shop", "size": "8"}), Versions(), "", str(tmp_path))


def test_a_value_that_is_wrong_names_its_option() -> None:
    with pytest.raises(UsageError, match="--size: '0': expected a number"):
        resolve(KIND.values, {"name": "shop", "size": "0"})
    assert resolve(KIND.values, {"name": "shop", "many": ["a", "b"]})["many"] == ("a", "b")
