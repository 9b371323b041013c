"""Nothing that a person says can end a line of what is made, not even of its head."""

from __future__ import annotations

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.generate import quoting
from tests.generate.support import generate

ENDS = ["\n", "\r", "\x00", "\x7f", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("end", [end for end in ENDS if end != "\x00"])
def test_a_folder_of_templates_stands_in_the_head(end: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("own") / f"a{end}b"
    folder.mkdir()
    with pytest.raises(UsageError, match="ends a line"):
        generate("pm2 --name shop", "--template-dir", str(folder))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", [quoting.js, quoting.compose, quoting.comment, quoting.nginx, quoting.haproxy, quoting.sh])
def test_no_format_takes_it(way: object, end: str) -> None:
    assert callable(way)
    with pytest.raises(ValueError, match="ends a line"):
        way(f"a{end}b")


def test_a_compose_file_takes_no_variable_from_a_value() -> None:
    assert quoting.compose(["a$B", 'c"${D}']) == '["a$$B", "c\\"$${D}"]'
