"""The generated workflow and pipeline release a real app behind a real nginx: build, deploy, verify, take back."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping

import pytest

from proxyswitch.system import signals
from tests.e2e.ci_runner import FAILURE, SKIPPED, SUCCESS, Github, Gitlab, load
from tests.e2e.shop import Shop, wait
from tests.e2e.test_deploy import untouched
from tests.generate.support import files

CALL = shlex.quote(f"{sys.executable} -m proxyswitch")


@pytest.fixture
def built(web: Shop) -> Shop:
    """A project that is built into dist, and whose versions run from a folder of their own."""
    releases = web.bench.folder / "releases"
    for folder in ("project", "releases/1", "job"):
        (web.bench.folder / folder).mkdir(parents=True)
    shutil.copy2(web.bench.folder / "start.sh", releases / "1/start.sh")
    web.configure(command=[f"{releases}/{{version}}/start.sh"])
    return web


def words(web: Shop, more: str = "") -> str:
    folder = web.bench.folder
    said = f"--name web --settings {web.settings} --releases {folder / 'releases'} --proxyswitch {CALL} {more}"
    health = f"--health-url http://127.0.0.1:{web.bench.port}/health"
    return f"{said} {health} --test true --build 'mkdir -p dist' --build 'cp -p ../start.sh dist/'"


def environment(web: Shop) -> Mapping[str, str]:
    return web.bench.environment()


def build(web: Shop, text: Mapping[str, object]) -> None:
    """Run the build's own shell, and hand over what it packed."""
    project = web.bench.folder / "project"
    assert isinstance(text, dict)
    if "jobs" in text:
        assert Github(text, project, environment(web)).job("build")["Build"].outcome == SUCCESS
    else:
        assert Gitlab(text, project, environment(web)).job("build").outcome == SUCCESS
    shutil.copy(project / "app.tar.gz", web.bench.folder / "job")


@pytest.fixture
def github(built: Shop) -> Github:
    workflow = load(files(f"github-actions {words(built)}")["deploy.yml"])
    build(built, workflow)
    return Github(workflow, built.bench.folder / "job", environment(built))


@pytest.fixture
def gitlab(built: Shop) -> Gitlab:
    pipeline = load(files(f"gitlab-ci {words(built)}")[".gitlab-ci.yml"])
    build(built, pipeline)
    return Gitlab(pipeline, built.bench.folder / "job", environment(built))


def outcomes(github: Github, version: str) -> dict[str, str]:
    return {name: step.outcome for name, step in github.job("deploy", version).items()}


def releases(web: Shop) -> set[str]:
    return {path.name for path in (web.bench.folder / "releases").iterdir()}


GOOD = {
    "Look at the version": SUCCESS,
    "Unpack": SUCCESS,
    "Deploy": SUCCESS,
    "Verify": SUCCESS,
    "Roll back": SKIPPED,
    "Clear up after a job that was cancelled": SKIPPED,
}


def test_github_releases_a_version_and_takes_it_back_by_hand(built: Shop, github: Github) -> None:
    assert outcomes(github, "2") == GOOD
    assert built.bench.version() == "2"
    assert releases(built) == {"1", "2"}
    again = github.job("deploy", "2")
    assert (again["Verify"].outcome, again["Deploy"].outputs) == (SUCCESS, {})  # so nothing of before would be taken back
    assert github.job("rollback")["Roll back"].outcome == SUCCESS
    assert built.bench.version() == "1"
    assert built.live() == "blue"


def test_github_fails_with_a_version_that_is_ill_and_the_old_one_serves(built: Shop, github: Github) -> None:
    built.configure(command=[f"{built.bench.folder}/releases/{{version}}/start.sh"], total="1s")
    steps = github.job("deploy", "2-ill")
    assert (steps["Deploy"].outcome, steps["Deploy"].code) == (FAILURE, 3)
    assert "::error::it failed and was taken back: the old version serves" in steps["Deploy"].said
    assert {steps[name].outcome for name in ("Verify", "Roll back")} == {SKIPPED}
    untouched(built)


def test_github_takes_back_a_version_that_dies_after_its_release(built: Shop, github: Github) -> None:
    def dies() -> None:
        process = built.runs("green")
        assert process
        signals.send(process, signals.KILL)
        wait(lambda: not built.listening("green"))

    github.after["Deploy"] = dies
    assert outcomes(github, "2") == {**GOOD, "Verify": FAILURE, "Roll back": SUCCESS}
    assert built.bench.version() == "1"


def test_github_clears_up_after_a_job_that_was_killed(built: Shop, github: Github) -> None:
    shutil.copytree(built.bench.folder / "releases/1", built.bench.folder / "releases/2-ill")
    running = built.spawn("2-ill")
    wait(lambda: built.journals() and built.runs("green"))
    running.kill()
    running.wait()
    steps = github.job("deploy", "3", cancelled=True)
    assert steps["Deploy"].outcome == SKIPPED
    assert steps["Clear up after a job that was cancelled"].outcome == SUCCESS
    untouched(built)


def test_gitlab_releases_a_version_and_takes_it_back_by_hand(built: Shop, gitlab: Gitlab) -> None:
    assert [gitlab.job(name, "2").outcome for name in ("test", "deploy", "verify")] == [SUCCESS] * 3
    assert built.bench.version() == "2"
    assert gitlab.job("deploy", "2").outcome == SUCCESS  # once more: nothing to do
    assert gitlab.job("rollback").outcome == SUCCESS
    assert built.bench.version() == "1"


def test_gitlab_fails_with_a_version_that_is_ill_and_the_old_one_serves(built: Shop, gitlab: Gitlab) -> None:
    built.configure(command=[f"{built.bench.folder}/releases/{{version}}/start.sh"], total="1s")
    done = gitlab.job("deploy", "2-ill")
    assert (done.outcome, done.code) == (FAILURE, 3)
    assert "it failed and was taken back: the old version serves" in done.said
    untouched(built)


def test_gitlab_tells_a_version_that_died_after_its_release(built: Shop, gitlab: Gitlab) -> None:
    assert gitlab.job("deploy", "2").outcome == SUCCESS
    process = built.runs("green")
    assert process
    signals.send(process, signals.KILL)
    wait(lambda: not built.listening("green"))
    assert gitlab.job("verify", "2").outcome == FAILURE
    assert gitlab.job("rollback").outcome == SUCCESS
    assert built.bench.version() == "1"
