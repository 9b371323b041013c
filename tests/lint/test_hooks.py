"""The hooks, with the real pre-commit and prek, in a repository of the test's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from tests.conftest import REPO
from tests.lint.command import tool

HOOKS = yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text())
IDS = [hook["id"] for hook in HOOKS]
PACKAGE = ("proxyswitch", "templates", "fixtures/demo", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
GOOD = {
    "nginx/conf.d/a.conf": "server { listen 80; }\n",
    "haproxy/10-web.cfg": "backend app\n    server a 127.0.0.1:3001\n",
    "proxyswitch.toml": '[lint]\nfiles = ["nginx/conf.d/*.conf"]\n',
    "m.sql": "ALTER TABLE a ADD COLUMN b text;\n",
}
BAD = {
    "nginx/conf.d/a.conf": "server { listen 80;\n",
    "haproxy/10-web.cfg": 'backend app\n    server "a 127.0.0.1:3001\n',
    "proxyswitch.toml": '[ngimx]\n[lint]\nfiles = ["nginx/conf.d/*.conf"]\n',
    "m.sql": "DROP TABLE a;\n",
}
FOREIGN = {
    "nginx/nginx.conf.j2": "server {\n",
    "nginx/supervisord.conf": "[program:a]\n",
    "apache2/sites-available/a.conf": "<VirtualHost *:80>\n",
    "haproxy/errors/503.http": "HTTP/1.0 503\n",
    "setup.cfg": "[metadata]\n",
    "redis.conf": "port 1\n",
    "pyproject.toml": "[ngimx]\n",
    "a.py": "DROP TABLE\n",
}
SAID = {
    "nginx": "nginx/conf.d/a.conf:2:1: error nginx/syntax",
    "haproxy": "haproxy/10-web.cfg:2:12: error haproxy/syntax",
    "settings": "proxyswitch.toml:1:2: error settings/invalid",
    "sql": "m.sql:1:1: error sql/drop-table",
    "config": "nginx/conf.d/a.conf:2:1: error nginx/syntax",
}
KNOWN = {
    "nginx": (
        *(
            "nginx.conf",
            "deploy/nginx.conf",
            "nginx-prod.conf",
            "nginx/a.conf",
            "etc/nginx/conf.d/deep/a.conf",
            "shop.nginx",
        ),
        *("shop.nginx.conf", "shop.nginxconf", "sites-available/shop", "etc/sites-enabled/shop.example.com"),
    ),
    "haproxy": ("haproxy.cfg", "haproxy-prod.cfg", "etc/haproxy/conf.d/10.cfg", "shop.haproxy", "shop.haproxy.cfg"),
    "settings": ("proxyswitch.toml", "deploy/proxyswitch.toml"),
}
UNKNOWN = {
    "nginx": ("a.conf", "nginx.conf.j2", "nginx/README.md", "nginx/php-fpm.conf", "apache2/sites-enabled/a", "mynginx/a.py"),
    "haproxy": ("setup.cfg", "haproxy/503.http", "haproxy.cfg.j2", "haproxy/lua/a.lua"),
    "settings": ("pyproject.toml", "xproxyswitch.toml", "proxyswitch.toml.bak"),
}


def sort(hook_id: str) -> str:
    """What a hook is for."""
    return hook_id.removeprefix("proxyswitch-").removesuffix("-system")


def git(folder: Path, *words: str) -> None:
    argv = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "init.defaultBranch=main", *words]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as a repository of hooks."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in PACKAGE:
        if (REPO / name).is_dir():
            shutil.copytree(REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPO / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "hooks")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository of a person's, and the proxyswitch that is installed there."""
    program = tmp_path / "bin/proxyswitch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={REPO} exec {sys.executable} -m proxyswitch "$@"\n')
    program.chmod(0o755)
    (tmp_path / "project").mkdir()
    git(tmp_path / "project", "init", "-q")
    return tmp_path / "project"


def tried(name: str, source: Path, project: Path, files: dict[str, str], *words: str) -> tuple[int, str]:
    """What `try-repo` says of these files, and its status."""
    for path, text in files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    git(project, "add", "-A")
    home = project.parent / "home"
    env = {**os.environ, "HOME": str(home), "PATH": f"{project.parent / 'bin'}:{os.environ['PATH']}"}
    env |= {"PRE_COMMIT_HOME": str(home / "pre-commit"), "PREK_HOME": str(home / "prek"), "PRE_COMMIT_COLOR": "never"}
    argv = [tool(name), "try-repo", str(source), *words, "--all-files"]
    done = subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, timeout=280, check=False)
    return done.returncode, done.stdout + done.stderr


def results(said: str) -> list[str]:
    return re.findall(r"\.+(?:\([^)]*\))?(Passed|Failed|Skipped)", said)


@pytest.mark.parametrize("name", ["pre-commit", "prek"])
@pytest.mark.parametrize("hook_id", [i for i in IDS if i.endswith("-system")])
def test_a_hook_with_the_installed_program(hook_id: str, name: str, source: Path, project: Path) -> None:
    code, said = tried(name, source, project, {**GOOD, **FOREIGN}, hook_id)
    assert (code, results(said)) == (0, ["Passed"]), said
    assert "hook id" not in said  # silent
    code, said = tried(name, source, project, BAD, hook_id)
    assert (code, results(said)) == (1, ["Failed"]), said
    assert SAID[sort(hook_id)] in said
    assert said.count(" error ") == 1


@pytest.mark.parametrize("name", ["pre-commit", "prek"])
def test_files_of_others_are_not_touched(name: str, source: Path, project: Path) -> None:
    for hook_id in (f"proxyswitch-{kind}-system" for kind in ("nginx", "haproxy", "settings", "sql")):
        code, said = tried(name, source, project, FOREIGN, hook_id)
        assert (code, results(said)) == (0, ["Skipped"]), said


@pytest.mark.parametrize("name", ["pre-commit", "prek"])
def test_every_hook_that_installs_itself(name: str, source: Path, project: Path) -> None:
    """All hooks at once: an environment is made once for those that need the same."""
    code, said = tried(name, source, project, BAD)
    assert code == 1, said
    assert results(said) == ["Failed"] * len(IDS), said
    parts = re.split(r"^- hook id: (\S+)$", said, flags=re.M)[1:]
    told = dict(zip(parts[::2], parts[1::2], strict=True))
    assert sorted(told) == sorted(IDS)
    for hook_id, text in told.items():
        assert SAID[sort(hook_id)] in text, hook_id


@pytest.mark.parametrize("hook", [h for h in HOOKS if sort(h["id"]) in KNOWN], ids=lambda h: str(h["id"]))
def test_which_files_a_hook_gets(hook: dict[str, str]) -> None:
    def gets(path: str) -> bool:
        return bool(re.search(hook["files"], path)) and not ("exclude" in hook and re.search(hook["exclude"], path))

    assert [path for path in KNOWN[sort(hook["id"])] if not gets(path)] == []
    assert [path for path in UNKNOWN[sort(hook["id"])] if gets(path)] == []


def test_each_hook_is_there_in_both_ways() -> None:
    assert {hook["id"]: hook["language"] for hook in HOOKS} == {
        **{f"proxyswitch-{kind}": "python" for kind in SAID},
        **{f"proxyswitch-{kind}-system": "system" for kind in SAID},
    }
    twins = {hook["id"]: hook for hook in HOOKS}
    for kind in SAID:
        one, other = twins[f"proxyswitch-{kind}"], twins[f"proxyswitch-{kind}-system"]
        assert all(one.get(key) == other.get(key) for key in ("entry", "files", "exclude", "types", "pass_filenames"))
