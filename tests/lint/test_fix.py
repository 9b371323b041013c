"""`--fix` and `--diff`: what is mended, how it is written, and when nothing is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxyswitch.cli import lint_fix
from proxyswitch.conf.text import Edit, Span
from proxyswitch.errors import ConfigError, Failed
from proxyswitch.lint.finding import Found, Source
from proxyswitch.lint.fix import Change, fix
from proxyswitch.lint.nginx import run as nginx_run
from proxyswitch.lint.options import Options
from tests.lint.command import lint

IDLE = "  # proxyswitch: ignore=nginx/single-server why"
POOL = "upstream app { server 127.0.0.1:3001; server 127.0.0.1:3002; }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.conf").write_text(f"{POOL}{IDLE}\n")
    (tmp_path / "bad.conf").write_text(f"server {{{IDLE}\n")
    return tmp_path


def test_what_can_be_mended_is_and_the_rest_is_told(folder: Path) -> None:
    done = lint("a.conf", "bad.conf", "--fix", folder=folder, code=1)
    assert (folder / "a.conf").read_text() == f"{POOL}\n"
    assert "bad.conf:2:1: error nginx/syntax" in done.stdout
    assert "a.conf:" not in done.stdout
    assert done.stderr.startswith("fixed ")
    done = lint("a.conf", "--fix", folder=folder, code=0)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_diff_writes_nothing(folder: Path) -> None:
    before = (folder / "a.conf").stat()
    done = lint("a.conf", "--diff", folder=folder, code=1)
    assert done.stdout == (f"--- a.conf\n+++ a.conf (new)\n@@ -1 +1 @@\n-{POOL}{IDLE}\n+{POOL}\n")
    assert done.stderr == "--fix would fix 1 finding, and leave no findings\n"
    assert lint("a.conf", "--diff", "--fix", folder=folder, code=1).stdout == done.stdout
    after = (folder / "a.conf").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    (folder / "a.conf").write_text(f"{POOL}\n")
    assert lint("a.conf", "--diff", folder=folder, code=0).stdout == ""


def test_standard_input_is_printed_mended(folder: Path) -> None:
    text = f"{POOL}{IDLE}\nupstream one {{ server 127.0.0.1:1; }}\n"
    done = lint("-", "--fix", "--stdin-filename", "a.conf", stdin=text, folder=folder, code=0)
    assert done.stdout == text.replace(IDLE, "")
    assert "a.conf:2:1: info nginx/single-server" in done.stderr
    assert (folder / "a.conf").read_text() == f"{POOL}{IDLE}\n"  # its name alone
    done = lint("-", "--fix", "--kind", "nginx", stdin="server {", folder=folder, code=1)
    assert done.stdout == "server {"
    assert "<stdin>:1:9: error nginx/syntax" in done.stderr
    assert "--- <stdin>\n" in lint("-", "--diff", "--kind", "nginx", stdin=text, folder=folder, code=1).stdout


def test_included_files_are_mended_too(folder: Path) -> None:
    (folder / "nginx.conf").write_text(f"events {{}}\nhttp {{ include a.conf; }}{IDLE}\n")
    assert lint("nginx.conf", "--fix", folder=folder, code=0).stderr == "fixed 2 findings\n"
    assert (folder / "nginx.conf").read_text() == "events {}\nhttp { include a.conf; }\n"
    assert (folder / "a.conf").read_text() == f"{POOL}\n"


def test_mode_and_link_are_kept(folder: Path) -> None:
    os.chmod(folder / "a.conf", 0o640)
    (folder / "link").symlink_to("a.conf")
    lint("link", "--fix", folder=folder, code=0)
    assert (folder / "link").is_symlink()
    assert (folder / "a.conf").read_text() == f"{POOL}\n"
    assert (folder / "a.conf").stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in folder.iterdir()) == ["a.conf", "bad.conf", "link"]


def test_other_line_ends_and_encodings_stay(folder: Path) -> None:
    (folder / "a.conf").write_bytes(f"# gr\xfc\xdfe\r\n{POOL}{IDLE}\r\n".encode("latin1"))
    lint("a.conf", "--fix", folder=folder, code=0)
    assert (folder / "a.conf").read_bytes() == f"# gr\xfc\xdfe\r\n{POOL}\r\n".encode("latin1")


def test_a_file_that_changed_meanwhile_is_left(tmp_path: Path) -> None:
    paths = [tmp_path / "a.conf", tmp_path / "b.conf"]
    for path in paths:
        path.write_bytes(b"old\n")
    paths[1].write_bytes(b"newer\n")
    changes = [Change(str(path), str(path), b"old\n", b"mended\n") for path in paths]
    with pytest.raises(Failed, match=r"b\.conf: somebody changed this file meanwhile"):
        lint_fix.write(changes)
    assert [path.read_bytes() for path in paths] == [b"old\n", b"newer\n"]
    assert len(list(tmp_path.iterdir())) == 2


# with rules of the test's own


def mended(monkeypatch: pytest.MonkeyPatch, text: str, *checks: Any) -> tuple[str, list[str]]:
    """The text as it becomes, and the messages that are left; `checks` yield messages with edits."""

    def rule(number: int, check: Any) -> Any:
        def found(config: Any) -> Iterator[Found]:
            (document,) = config.documents.values()
            for message, *edits in check(document.data):
                yield Found(document, 0, message, tuple(edits))

        return SimpleNamespace(ID=f"nginx/{number}", LEVEL="warning", check=found)

    rules = {f"nginx/{number}": rule(number, check) for number, check in enumerate(checks)}
    monkeypatch.setattr(nginx_run, "RULES", rules)
    source = Source("a.conf", text.encode())
    done = fix([source], "nginx", Options())
    return (done.changes[0].after.decode() if done.changes else text), [finding.message for finding in done.left]


def renames(old: bytes, new: bytes) -> Any:
    def check(data: bytes) -> Iterator[tuple[Any, ...]]:
        at = data.find(old)
        if at >= 0:
            yield f"{old.decode()} is old", Edit(Span(at, at + len(old)), new)

    return check


def test_edits_that_touch_wait_for_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mended(monkeypatch, "a b;\n", renames(b"a b", b"c d"), renames(b"b;", b"e;")) == ("c d;\n", [])
    assert mended(monkeypatch, "a b;\n", renames(b"a ", b"c "), renames(b"b", b"e")) == ("c e;\n", [])
    assert mended(monkeypatch, "a b;\n", renames(b"a", b"b"), renames(b"b", b"c")) == ("c c;\n", [])


def test_it_ends_where_a_fix_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    text, left = mended(monkeypatch, "a;\n", renames(b"a", b"aa"))
    assert (text, left) == ("aaaaaa;\n", ["a is old"])  # five rounds


def test_two_fixes_of_one_finding_are_made_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(data: bytes) -> Iterator[tuple[Any, ...]]:
        if b"x" in data and b"y" in data:
            spans = [Span(data.index(c), data.index(c) + 1) for c in (b"x", b"y")]
            yield "x and y", Edit(spans[0], b"X"), Edit(spans[1], b"Y")

    assert mended(monkeypatch, "x y;\n", renames(b"y", b"z"), both) == ("x z;\n", [])


def test_a_fix_that_breaks_the_file_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ConfigError, match=r"a\.conf: with its fixes this file could not be read any more: nothing was fixed"
    ):
        mended(monkeypatch, "a;\n", renames(b";", b"{"))
    assert mended(monkeypatch, "a {\n", renames(b"a", b"b"))[0] == "b {\n"  # it was broken before


def test_many_fixes_take_no_longer_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_of(data: bytes) -> Iterator[tuple[Any, ...]]:
        for at in range(0, len(data), 4):
            if data[at : at + 1] == b"a":
                yield f"{at}", Edit(Span(at, at + 1), b"b")

    assert mended(monkeypatch, "a b;" * 5000, all_of) == ("b b;" * 5000, [])


def test_what_cannot_be_written_is_judged_as_it_is(folder: Path) -> None:
    refused = (
        "from proxyswitch.system import files\nfrom proxyswitch.errors import UsageError\n"
        "def refuse(real): raise UsageError(f'{real}: no permission')\nfiles.check_writable = refuse"
    )
    done = lint("a.conf", "--fix", "--json", folder=folder, code=2, before=refused)
    assert [one["rule"] for one in json.loads(done.stdout)] == ["comment/unused-ignore"]
    assert "no permission" in done.stderr
    assert "fixed" not in done.stderr
    assert (folder / "a.conf").read_text() == f"{POOL}{IDLE}\n"


def test_one_that_is_refused_stops_no_other(folder: Path) -> None:
    done = lint("a.conf", "gone.conf", "--fix", folder=folder, code=2)
    assert "gone.conf: cannot be read" in done.stderr
    assert (folder / "a.conf").read_text() == f"{POOL}\n"


def test_the_parsers_are_those_of_all_kinds() -> None:
    from proxyswitch.lint import KINDS
    from proxyswitch.lint.fix import PARSERS

    assert list(PARSERS) == list(KINDS)
