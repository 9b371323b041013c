"""A runner of CI, as small as a test needs: it takes the jobs of a workflow or pipeline, and runs their shell for real.

Steps that `use` an action are left out: a test hands over what they would.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

GITHUB_BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]  # as GitHub documents `shell: bash`
SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"


@dataclass
class Step:
    outcome: str = SKIPPED
    code: int = 0
    said: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class Github:
    """The steps of a workflow's jobs, run in a folder. `after` is called behind a step, by its name."""

    workflow: dict[str, Any]
    folder: Path
    env: Mapping[str, str]
    after: dict[str, Callable[[], object]] = field(default_factory=dict)

    def job(self, name: str, version: str = "", *, cancelled: bool = False) -> dict[str, Step]:
        """What became of each step that has a name."""
        job = self.workflow["jobs"][name]
        done: dict[str, Step] = {}
        ids: dict[str, Step] = {}
        env = {**self.env, **self.workflow["env"], **job.get("env", {}), "VERSION": version}
        for step in (step for step in job["steps"] if "run" in step):
            made = Step()
            failed = any(one.outcome == FAILURE for one in done.values())
            if _wanted(step.get("if", "success()"), ids, failed=failed, cancelled=cancelled):
                made = self._run(step["run"], env)
                self.after.get(step["name"], lambda: None)()
            done[step["name"]] = ids[step.get("id", step["name"])] = made
        return done

    def _run(self, text: str, env: Mapping[str, str]) -> Step:
        script, outputs = self.folder / "step.sh", self.folder / "outputs"
        script.write_text(text)
        outputs.write_text("")
        done = _shell([*GITHUB_BASH, str(script)], self.folder, {**env, "GITHUB_OUTPUT": str(outputs)})
        told = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return Step(FAILURE if done.returncode else SUCCESS, done.returncode, done.stdout + done.stderr, told)


def _wanted(text: str, steps: Mapping[str, Step], *, failed: bool, cancelled: bool) -> bool:
    """The few expressions that the template has, joined by &&; GitHub puts success() before one that names no status."""
    words = [word.strip() for word in text.removeprefix("${{").removesuffix("}}").split("&&")]
    known = {"success()": not failed and not cancelled, "failure()": failed and not cancelled, "cancelled()": cancelled}
    assert words[0] in known, text
    return all(known[word] if word in known else _same(word, steps) for word in words)


def _same(word: str, steps: Mapping[str, Step]) -> bool:
    found = re.fullmatch(r"steps\.(\w+)\.(outcome|outputs\.(\w+)) == '(\w+)'", word)
    assert found, word
    step = steps[found[1]]
    return (step.outputs.get(found[3], "") if found[3] else step.outcome) == found[4]


@dataclass
class Gitlab:
    """The jobs of a pipeline; each runs as one script of bash, as GitLab's runner makes it."""

    pipeline: dict[str, Any]
    folder: Path
    env: Mapping[str, str]

    def job(self, name: str, version: str = "") -> Step:
        job = {**self.pipeline.get(self.pipeline[name].get("extends", ""), {}), **self.pipeline[name]}
        env = {**self.env, **self.pipeline["variables"], **job.get("variables", {}), "VERSION": version}
        script = self.folder / "job.sh"
        script.write_text("set -eo pipefail\n" + "\n".join(job["script"]) + "\n")
        done = _shell(["bash", str(script)], self.folder, env)
        return Step(FAILURE if done.returncode else SUCCESS, done.returncode, done.stdout + done.stderr)


def _shell(argv: list[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=120, check=False)


def load(text: str) -> dict[str, Any]:
    """YAML; `on` is a word here, and not the yes of YAML 1.1."""
    found: dict[Any, Any] = yaml.safe_load(text)
    return {("on" if key is True else key): value for key, value in found.items()}
