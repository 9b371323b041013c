"""pre-commit: the hooks that were asked for, run by the real pre-commit and prek; and what is refused."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from proxyswitch import __version__
from proxyswitch.errors import UsageError
from proxyswitch.generate import checking
from proxyswitch.generate.kinds import load
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Rejected
from tests.generate.support import files, generate
from tests.lint.command import tool
from tests.lint.test_hooks import BAD, FOREIGN, GOOD, git, project, source  # noqa: F401  # fixtures

ALL = "--haproxy --sql --whole"
REPO = "--repo https://example.com/proxyswitch"
FILE = ".pre-commit-config.yaml"


def hooks(words: str) -> dict[str, str]:
    """Each hook, and the pattern of its files."""
    (repo,) = yaml.safe_load(files(f"pre-commit {REPO} {words}")[FILE])["repos"]
    return {hook["id"].removeprefix("proxyswitch-"): hook.get("files", "") for hook in repo["hooks"]}


def ran(name: str, source: Path, project: Path, given: dict[str, str], words: str) -> dict[str, str]:  # noqa: F811
    """What the tool says of each hook, with the config that was made for that repository of hooks."""
    git(source, "tag", "-f", "v0")
    made = files(f"pre-commit --repo {source} --rev v0 --system {words}")
    for path, text in {**given, **made}.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    git(project, "add", "-A")
    home = project.parent / "home"
    env = {**os.environ, "HOME": str(home), "PATH": f"{project.parent / 'bin'}:{os.environ['PATH']}"}
    env |= {"PRE_COMMIT_HOME": str(home / "pre-commit"), "PREK_HOME": str(home / "prek"), "PRE_COMMIT_COLOR": "never"}
    argv = [tool(name), "run", "--all-files", "--verbose"]
    done = subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, timeout=280, check=False)
    said = done.stdout + done.stderr
    status = re.findall(r"\.+(?:\([^)]*\))?(Passed|Failed|Skipped)\n- hook id: proxyswitch-(\w+)-system", said)
    assert status, said
    assert (done.returncode != 0) == ("Failed" in said)
    return {hook: result for result, hook in status}


@pytest.mark.parametrize("name", ["pre-commit", "prek"])
def test_the_hooks_pass_what_is_right_and_stop_what_is_not(name: str, source: Path, project: Path) -> None:  # noqa: F811
    every = ("nginx", "haproxy", "settings", "sql", "config")
    assert ran(name, source, project, {**GOOD, **FOREIGN}, ALL) == dict.fromkeys(every, "Passed")
    assert ran(name, source, project, BAD, ALL) == dict.fromkeys(every, "Failed")


def test_a_pattern_says_which_files_it_is(source: Path, project: Path) -> None:  # noqa: F811
    given = {"deploy/web.conf": "server { listen 80;\n", "nginx.conf": "events {\n"}
    words = "--no-settings --nginx-files '^deploy/.*[.]conf$'"
    assert ran("pre-commit", source, project, given, words) == {"nginx": "Failed"}
    (project / "deploy/web.conf").write_text("server { listen 80; }\n")
    del given["deploy/web.conf"]  # nginx.conf is wrong, and none of its business
    assert ran("pre-commit", source, project, given, words) == {"nginx": "Passed"}


def test_it_has_the_hooks_that_were_asked_for() -> None:
    assert hooks("") == {"nginx": "", "settings": ""}
    assert hooks("--no-nginx --haproxy") == {"haproxy": "", "settings": ""}
    assert hooks("--system --no-settings") == {"nginx-system": ""}
    assert hooks(r"--sql --sql-files '^db/\d{4}.*\.sql$'") == {"nginx": "", "settings": "", "sql": r"^db/\d{4}.*\.sql$"}
    assert f'rev: "v{__version__}"' in generate(f"pre-commit {REPO}")


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ('pool = "p"', {"nginx", "settings"}),
        ('pool = "p"\nproxy = "haproxy"', {"haproxy", "settings"}),
        ('pool = "p"\nmore_pools = ["haproxy:q"]', {"nginx", "haproxy", "settings"}),
        ('pool = "p"\nmigrate = {expand = "true"}', {"nginx", "settings", "sql"}),
    ],
)
def test_an_app_tells_what_its_repository_has(tmp_path: Path, app: str, expected: set[str]) -> None:
    slots = 'slots = {blue = "127.0.0.1:3001", green = "127.0.0.1:3002"}\nprocess = {command = ["a"]}'
    (tmp_path / "proxyswitch.toml").write_text(f"[apps.web]\n{slots}\n{app}\n")
    assert set(hooks(f"--app web --config {tmp_path / 'proxyswitch.toml'}")) == expected


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        *(
            ("repo", text)
            for text in ("a", "ftp://a/b", "https://me:secret@a/b", "git@a", "a\nb", "/a b", '/a"b', "/a;b", "/a{b}")
        ),
        *(("rev", text) for text in ("-v", "v 1", "v1\n", 'v"1', "v'1", "v1;2", "v{1}", "a..b", "v1.", "$(id)")),
        *(("nginx-files", text) for text in ("(", "a\nb", 'a"b', "a'b", "a;b", "a#b", "a`b", "a\u2028b", "[")),
    ],
)
def test_rubbish_is_refused(option: str, bad: str) -> None:
    words = [] if option == "repo" else ["--repo", "/srv/proxyswitch"]
    with pytest.raises(UsageError, match=f"^--{option}: ") as error:
        generate("pre-commit", *words, f"--{option}", bad)
    assert "secret" not in error.value.what


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="--sql-files is for --sql"):
        generate(f"pre-commit {REPO} --sql-files a")
    with pytest.raises(UsageError, match="no hook is left"):
        generate(f"pre-commit {REPO} --no-nginx --no-settings")


def test_pre_commit_itself_tests_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(tool('pre-commit')).parent}:{os.environ['PATH']}")
    (part,) = load("pre-commit").parts
    good = files(f"pre-commit {REPO} {ALL}")[FILE]
    assert checking.check(Made(part, f"/x/{FILE}", good), {}) == ""
    with pytest.raises(Rejected, match=r"pre-commit refuses /x/\.pre-commit-config\.yaml: "):
        checking.check(Made(part, f"/x/{FILE}", good.replace("rev:", "rve:")), {})
