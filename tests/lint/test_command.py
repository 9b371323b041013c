"""The command `lint`: files, standard input, formats, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.lint.command import lint

BAD = "DROP TABLE review;\n"
GOOD = "ALTER TABLE book ADD COLUMN subtitle text;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad.sql").write_text(BAD)
    (tmp_path / "good.sql").write_text(GOOD)
    return tmp_path


def test_without_findings_it_is_silent(folder: Path) -> None:
    done = lint("good.sql", folder=folder, code=0)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_finding_is_one_line_with_its_place(folder: Path) -> None:
    done = lint("good.sql", "bad.sql", folder=folder, code=1)
    assert done.stdout.startswith("bad.sql:1:1: error sql/drop-table: the table review is dropped while the old version")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_json_is_an_array_also_without_findings(folder: Path) -> None:
    (one,) = json.loads(lint("bad.sql", "--format", "json", folder=folder, code=1).stdout)
    assert list(one) == ["path", "line", "column", "rule", "level", "message"]
    assert (one["path"], one["line"], one["column"], one["rule"], one["level"]) == (
        "bad.sql",
        1,
        1,
        "sql/drop-table",
        "error",
    )
    assert lint("good.sql", "--format", "json", folder=folder, code=0).stdout == "[]\n"
    assert json.loads(lint("bad.sql", "--json", folder=folder, code=1).stdout) == [one]


def test_github_gets_workflow_commands(folder: Path) -> None:
    name = "a,b:100%.sql"
    (folder / name).write_text(f"SELECT 1;\n {BAD}DO $$ $$;")
    first, second = lint(name, "--format", "github", folder=folder, code=1).stdout.splitlines()
    assert first.startswith("::error file=a%2Cb%3A100%25.sql,line=2,col=2,title=sql/drop-table::the table review is dropped")
    assert second.startswith("::warning file=a%2Cb%3A100%25.sql,line=3,col=1,title=sql/not-judged::")
    assert lint("good.sql", "--format", "github", folder=folder, code=0).stdout == ""


def test_standard_input(folder: Path) -> None:
    assert lint("--kind", "sql", "-", stdin=BAD, folder=folder, code=1).stdout.startswith(
        "<stdin>:1:1: error sql/drop-table"
    )
    lint("--kind", "sql", "-", stdin=GOOD, folder=folder, code=0)
    lint("--kind", "sql", "-", stdin="", folder=folder, code=0)
    lint("--kind", "sql", "-", "--phase", "contract", stdin=BAD, folder=folder, code=0)
    lint("--kind", "sql", "-", "--dialect", "mysql", stdin="CREATE INDEX i ON t (a);", folder=folder, code=0)


def test_rules_can_be_left_out_and_asked_for(folder: Path) -> None:
    lint("bad.sql", "--ignore", "sql/drop-table", folder=folder, code=0)
    lint("bad.sql", "--ignore", "sql", folder=folder, code=0)
    lint("bad.sql", "--select", "nginx", folder=folder, code=0)
    asked = ("--select", "sql", "--select", "sql/lock-timeout", "--fail-on", "warning")
    assert "sql/lock-timeout" in lint("good.sql", *asked, folder=folder, code=1).stdout
    for option in ("--ignore", "--select"):
        done = lint("bad.sql", option, "sql/drop-tabel", folder=folder, code=2)
        assert "there is no rule 'sql/drop-tabel'" in done.stderr
        assert done.stdout == ""


def test_from_which_level_on_it_is_a_failure(folder: Path) -> None:
    (folder / "app.conf").write_text("upstream app { server 127.0.0.1:3001; }\n")
    (folder / "m.sql").write_text("DO $$ $$;\n")
    for name, level in (("app.conf", "info"), ("m.sql", "warning"), ("bad.sql", "error")):
        for least in ("info", "warning", "error"):
            order = ["info", "warning", "error"]
            lint(name, "--fail-on", least, folder=folder, code=int(order.index(level) >= order.index(least)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no file was named"),
        (("missing.sql",), "missing.sql: cannot be read: No such file"),
        (("notes.md",), "notes.md: by its name and by its text this is neither nginx, HAProxy nor SQL"),
        (("-",), "<stdin>: by its name and by its text this is neither"),
        (("binary.sql",), "binary.sql: this is no text"),
        (("latin1.sql",), "latin1.sql:1:4: not UTF-8"),
        (("folder.sql",), "folder.sql: there is no config file"),
        (("bad.sql", "--dialect", "oracle"), "'oracle' is not one of"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_exit_2(words: tuple[str, ...], said: str, folder: Path) -> None:
    (folder / "binary.sql").write_bytes(b"\x7fELF\0\1")
    (folder / "latin1.sql").write_bytes(b"-- \xe4\n")
    (folder / "folder.sql").mkdir()
    (folder / "notes.md").write_text("server {\n")
    done = lint(*words, folder=folder, code=2)
    assert said in done.stderr
    assert done.stdout == ""


def test_one_that_cannot_be_read_hides_nothing_of_the_others(folder: Path) -> None:
    (folder / "x.txt").write_text("a note\n")
    done = lint("missing.sql", "bad.sql", "x.txt", folder=folder, code=2)
    assert "bad.sql:1:1: error sql/drop-table" in done.stdout
    assert "missing.sql: cannot be read" in done.stderr
    assert "x.txt: by its name and by its text this is neither" in done.stderr
    done = lint("missing.sql", "bad.sql", "--json", folder=folder, code=2)
    assert len(json.loads(done.stdout)) == 1  # nothing but the array
    assert "missing.sql: cannot be read" in done.stderr


def test_without_sqlglot_it_says_what_to_install(folder: Path) -> None:
    gone = "import sys; sys.modules['sqlglot'] = None"
    done = lint("good.sql", folder=folder, code=2, before=gone)
    assert "pip install 'proxyswitch[sql]'" in done.stderr
    assert done.stdout == ""
    assert "sql/drop-table\terror\t" in lint("--list-rules", folder=folder, code=0, before=gone).stdout


def test_it_touches_nothing(folder: Path) -> None:
    def state() -> list[tuple[str, int, bytes]]:
        return [(p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.iterdir())]

    before = state()
    lint("bad.sql", "good.sql", folder=folder, code=1)
    assert state() == before


def test_the_parser_is_loaded_for_sql_alone() -> None:
    code = "import sys; from proxyswitch.cli.app import load; load('lint', 'lint:lint'); print('sqlglot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_the_hooks_of_pre_commit_that_need_it_name_the_extra() -> None:
    hooks = (REPO / ".pre-commit-hooks.yaml").read_text()
    (extra,) = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["optional-dependencies"]["sql"]
    assert hooks.count(f'additional_dependencies: ["{extra}"]\n') == 2
