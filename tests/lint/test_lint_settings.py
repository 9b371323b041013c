"""`[lint]` of proxyswitch.toml, `[tool.proxyswitch.lint]` of pyproject.toml, and proxyswitch.toml as a file to be judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.lint import run
from proxyswitch.lint.finding import Source
from proxyswitch.lint.options import Options
from tests.lint.command import lint

ONE = "upstream app { server 127.0.0.1:3001; }\n"
SAID = "a.conf:1:1: info nginx/single-server"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.conf").write_text(ONE)
    (tmp_path / "m.sql").write_text("DROP TABLE a;\n")
    return tmp_path


def say(folder: Path, text: str, *, pyproject: bool = False) -> None:
    name = "pyproject.toml" if pyproject else "proxyswitch.toml"
    (folder / name).write_text(f"[{'tool.proxyswitch.' if pyproject else ''}lint]\n{text}\n")


@pytest.mark.parametrize("pyproject", [False, True])
def test_every_key_is_used(folder: Path, pyproject: bool) -> None:
    assert SAID in lint("a.conf", folder=folder, code=0).stdout
    for text, code, said in (
        ('fail_on = "info"', 1, True),
        ('ignore = ["nginx/single-server"]', 0, False),
        ('select = ["sql"]', 0, False),
        ('per_file_ignores = { "a.conf" = ["nginx/single-server"] }', 0, False),
        ('per_file_ignores = { "*.conf" = ["nginx"] }', 0, False),
        ('per_file_ignores = { "b.conf" = ["nginx"] }', 0, True),
        ('per_file_ignores = { "deep/*" = ["nginx"] }', 0, True),
    ):
        say(folder, text, pyproject=pyproject)
        assert (SAID in lint("a.conf", folder=folder, code=code).stdout) is said, text
    say(folder, 'phase = "contract"', pyproject=pyproject)
    lint("m.sql", folder=folder, code=0)
    (folder / "i.sql").write_text("CREATE INDEX i ON t (a);\n")
    say(folder, 'dialect = "mysql"\nfiles = ["*.sql"]\nignore = ["sql/drop-table"]', pyproject=pyproject)
    lint(folder=folder, code=0)


def test_a_glob_of_files_is_a_path_or_a_name() -> None:
    def spared(glob: str, path: str = "deep/er/b.conf", rule: str = "nginx/syntax") -> bool:
        return Options(per_file=((glob, ("nginx", "sql/truncate")),)).spares(path, rule)

    assert all(map(spared, ("b.conf", "*.conf", "deep/*", "deep/er/b.conf", "*/b.conf")))
    assert not any(map(spared, ("er/b.conf", "deep", "a.conf", "deep/*.cfg")))
    assert spared("deep/*", str(Path("deep/b.conf").absolute()))
    assert not spared("*", rule="haproxy/syntax")
    assert spared("*", rule="sql/truncate")


def test_the_command_line_goes_first(folder: Path) -> None:
    say(
        folder,
        'fail_on = "info"\nignore = ["sql/drop-table", "nginx"]\nphase = "contract"\ndialect = "sqlite"\nfiles = ["m.sql"]',
    )
    lint("m.sql", folder=folder, code=0)
    lint("a.conf", folder=folder, code=0)
    done = lint("a.conf", "m.sql", "--ignore", "sql/drop-column", "--phase", "expand", folder=folder, code=1)
    assert SAID in done.stdout
    assert "sql/drop-table" in done.stdout
    lint("a.conf", "--ignore", "sql", "--fail-on", "error", folder=folder, code=0)
    say(folder, 'select = ["sql"]')
    assert SAID in lint("a.conf", "--select", "nginx", folder=folder, code=0).stdout


def test_files_are_globs_of_the_working_folder(folder: Path) -> None:
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/b.conf").write_text(ONE)
    say(folder, 'files = ["a.conf", "deep/**/*.conf"]')
    assert [line.partition(":")[0] for line in lint(folder=folder, code=0).stdout.splitlines()] == [
        "a.conf",
        "deep/er/b.conf",
    ]
    say(folder, 'files = ["gone/*.conf"]')
    assert "lint.files: 'gone/*.conf' names nothing that is here" in lint(folder=folder, code=2).stderr
    say(folder, "")
    assert "no file was named" in lint(folder=folder, code=2).stderr


def test_the_table_of_proxyswitch_toml_goes_first(folder: Path) -> None:
    say(folder, 'fail_on = "info"', pyproject=True)
    lint("a.conf", folder=folder, code=1)
    (folder / "proxyswitch.toml").write_text("[nginx]\n")
    lint("a.conf", folder=folder, code=1)  # it says nothing of lint
    say(folder, "")
    lint("a.conf", folder=folder, code=0)


def test_only_the_working_folder_counts(folder: Path) -> None:
    say(folder, 'fail_on = "info"')
    (folder / "deep").mkdir()
    lint("../a.conf", folder=folder / "deep", code=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('fail-on = "info"', "lint.fail-on: unknown key: did you mean 'fail_on'?"),
        ('fail_on = "warn"', "lint.fail_on: 'warn' is not known: did you mean 'warning'?"),
        ("ignore = 1", "lint.ignore: expected `array`, got `int`"),
        ('ignore = ["nginx/x"]', "lint.ignore: there is no rule 'nginx/x'"),
        (
            'select = ["nginx/single-servr"]',
            "lint.select: there is no rule 'nginx/single-servr': did you mean 'nginx/single-server'?",
        ),
        (
            'per_file_ignores = { "a.conf" = ["ngin"] }',
            "lint.per_file_ignores.a.conf: there is no rule 'ngin': did you mean 'nginx'?",
        ),
        ("x =", "not valid TOML: "),
    ],
)
def test_a_mistake_is_exit_2(text: str, said: str, folder: Path) -> None:
    say(folder, text)
    done = lint("a.conf", folder=folder, code=2)
    assert f"proxyswitch.toml: {said}" in done.stderr
    assert done.stdout == ""
    (folder / "proxyswitch.toml").unlink()
    say(folder, text, pyproject=True)
    where = said if said.startswith("not") else f"tool.proxyswitch.{said}"
    assert f"pyproject.toml: {where}" in lint("a.conf", folder=folder, code=2).stderr


def test_other_tables_are_not_looked_at(folder: Path) -> None:
    (folder / "proxyswitch.toml").write_text('[apps.web]\nzzz = 1\n[lint]\nfail_on = "info"\n')
    lint("a.conf", folder=folder, code=1)
    (folder / "pyproject.toml").write_text("no toml at all, and nothing of ours")
    lint("a.conf", folder=folder, code=1)


def test_a_wrong_settings_file_can_be_looked_at_itself(folder: Path) -> None:
    say(folder, 'ignor = ["nginx"]')
    done = lint("a.conf", "proxyswitch.toml", folder=folder, code=2)
    assert done.stdout.startswith(
        "proxyswitch.toml:2:1: error settings/invalid: lint.ignor: unknown key: did you mean 'ignore'?"
    )
    assert "lint.ignor: unknown key" in done.stderr


# the kind


def judged(text: str | bytes) -> list[tuple[int, int, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    return [(f.line, f.column, f.message) for f in run([Source("proxyswitch.toml", data)], "settings", Options())]


APP = 'pool = "p"\nslots = { blue = "127.0.0.1:1" }\nprocess = { command = "x" }\n'


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("[nginx]\n\n  conv = 1\n", 3, 3, "nginx.conv: unknown key: did you mean 'conf'?"),
        ("[ngimx]\n", 1, 2, "ngimx: unknown key"),
        ("a = 1\n", 1, 1, "a: unknown key"),
        (f"[apps.web]\n{APP}drain = 'soon'\n", 5, 1, "apps.web.drain: 'soon' is no duration"),
        (f'[apps]\nweb.drain = 1\n[apps."shop"]\n{APP}x = 1\n', 2, 1, "apps.web.slots: this key is required"),
        (f"[apps.'shop']\n{APP}x = 1\n", 5, 1, "apps.shop.x: unknown key"),
        (
            '[apps.web]\nslots = { blue = "127.0.0.1:1" }\nprocess = { command = "x" }\n',
            1,
            2,
            "apps.web.pool: this key is required",
        ),
        (f"[apps.web]\n{APP}[apps.web.health]\nurl = 'http://x'\nstatus = 99\n", 7, 1, "apps.web.health.status: "),
        ('[apps.web]\npool = "p"\nslots = { blue = 3 }\nprocess = { command = "x" }\n', 3, 11, "apps.web.slots.blue: "),
        ("[[notify]]\nurl = 'http://x'\n[[notify]]\nurl = 'http://y'\ntimeout = 9\n", 5, 1, "notify 2.timeout: "),
        ("[lint]\nignore = ['nginx', 'ngin']\n", 2, 1, "lint.ignore: there is no rule 'ngin'"),
        ("[haproxy]\nconf = ['a', 1]\n", 2, 1, "haproxy.conf[1]: expected `str`"),
        ("[nginx]\nconf = \n", 2, 8, "not valid TOML: "),
        ("\n[nginx\n", 2, 7, "not valid TOML: "),
        ("[nginx]\nconf = 'ö' x\n", 2, 12, "not valid TOML: "),
        ("[nginx]\nconf = '''\n", 2, 11, "not valid TOML: "),
        (b"[nginx]\nconf = '\xff'\n", 2, 9, "not valid TOML: this is not UTF-8"),
    ],
)
def test_a_mistake_is_found_at_its_key(text: str | bytes, line: int, column: int, said: str) -> None:
    found = [(f_line, f_column) for f_line, f_column, message in judged(text) if message.startswith(said)]
    assert found == [(line, column)], judged(text)


def test_each_mistake_is_told_once(folder: Path) -> None:
    found = judged("[ngimx]\n[haprox]\n[lint]\nfail_on = 1\nselect = ['x']\n")
    assert [(line, message.partition(":")[0]) for line, _, message in found] == [
        (1, "ngimx"),
        (2, "haprox"),
        (4, "lint.fail_on"),
    ]


def test_a_good_file_passes(folder: Path) -> None:
    from tests.test_settings import FULL

    assert judged(FULL) == []
    assert judged("") == []


def test_it_is_known_by_its_name(folder: Path) -> None:
    (folder / "etc").mkdir()
    (folder / "etc/proxyswitch.toml").write_text("[ngimx]  # proxyswitch: ignore=settings/invalid\n")
    lint("etc/proxyswitch.toml", folder=folder, code=0)
    (folder / "mine.toml").write_text("[ngimx]\n")
    assert "mine.toml:1:2: error settings/invalid" in lint("mine.toml", "--kind", "settings", folder=folder, code=1).stdout
