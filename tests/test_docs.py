"""The documentation is true: its examples run, its links lead somewhere, its tables are complete.

A block of shell behind `<!-- run: pool -->` is run in a folder of its own, with a private nginx or HAProxy: docs_stage.py
has the kinds. In a `console` block the lines behind `$ ` are run, and what they print is compared: durations, pids and times
may differ, and a table's columns may have other widths.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from proxyswitch import errors, settings, settings_runners
from proxyswitch.cli.app import COMMANDS
from tests.conftest import REPO
from tests.docs_stage import staged

PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").glob("*.md")])
BLOCK = re.compile(r"(?:^<!-- (?P<mark>run: \w+|part) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


class Example(NamedTuple):
    """A block of a page."""

    page: Path
    line: int
    mark: str
    kind: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(REPO)}:{self.line}"


def blocks() -> Iterator[Example]:
    for page in PAGES:
        text = page.read_text()
        for found in BLOCK.finditer(text):
            line = text[: found.start()].count("\n") + 1
            yield Example(page, line, found["mark"] or "", found["kind"], found["text"])


BLOCKS = list(blocks())
RUN = [b for b in BLOCKS if b.mark.startswith("run: ")]


# --- examples


def commands(example: Example) -> list[tuple[str, str]]:
    """The commands of an example, each with what it should print."""
    if example.kind == "sh":
        return [(example.text, "")]
    found: list[tuple[str, str]] = []
    for line in example.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
        else:
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


def plain(text: str) -> list[str]:
    """What must be the same in every run."""
    text = re.sub(r"\b\d+(\.\d+)? s\b", "# s", text)
    text = re.sub(r'"seconds": [\d.]+', '"seconds": #', text)
    text = re.sub(r"\bpid \d+", "pid #", text)
    text = re.sub(r"\b(UP|DOWN) \d/\d\b", r"\1", text)  # a check that has just begun
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    rows = (" ".join(line.split()) for line in text.splitlines())
    return [row for row in rows if row.strip("─ ")]


@pytest.mark.parametrize("example", RUN, ids=lambda e: e.name)
def test_an_example_does_what_the_page_says(
    example: Example, tmp_path: Path, nginx_binary: str, haproxy_binary: str
) -> None:
    wanted = commands(example)
    with staged(tmp_path, example.mark.removeprefix("run: ")) as stage:
        ended = stage.sh(*(stage.real(command) for command, _ in wanted))
        for (command, text), (out, code) in zip(wanted, ended, strict=True):
            if example.kind == "sh":
                assert code == 0, f"{command}\n{out}"
            else:
                assert plain(stage.documented(out)) == plain(text), f"{command}\n{out}"


def test_examples_are_found() -> None:
    guides = {f"guide-{name}.md" for name in ("deploy", "haproxy", "lint", "switch")}
    assert {b.page.name for b in RUN} >= {"README.md", *guides}
    assert {b.kind for b in RUN} == {"sh", "console"}


@pytest.mark.parametrize("example", [b for b in BLOCKS if b.kind == "toml"], ids=lambda e: e.name)
def test_an_example_of_settings_is_valid(example: Example) -> None:
    text = example.text
    if "[apps.web]" not in text:
        text = '[apps.web]\npool = "p"\nslots = { blue = "127.0.0.1:1" }\n' + text
    if not any(f"[apps.web.{runner}]" in text or f"\n{runner} = {{" in text for runner in settings_runners.RUNNERS):
        text += '\n[apps.web.process]\ncommand = ["true"]\n'
    assert settings.parse(text.encode(), "proxyswitch.toml").apps["web"]


@pytest.mark.parametrize("example", [b for b in BLOCKS if b.kind == "json"], ids=lambda e: e.name)
def test_an_example_of_json_is_json(example: Example) -> None:
    assert json.loads(example.text)


# what prints the objects of docs/json.md: on each stage one after the other
PRINTED = {
    "app": {
        "show": "proxyswitch show --json",
        "get": "proxyswitch get app_backend --json",
        "status": "proxyswitch status --json",
        "health": "proxyswitch health web:blue --version 1 --json",
        "deploy --dry-run": "proxyswitch deploy web --version 2 --dry-run --json",
        "start": "proxyswitch start web:green --version 2 --json",
        "an error": "proxyswitch stop web:blue --json 2>/dev/null",
        "stop": "proxyswitch stop web:green --json",
        "restart": "proxyswitch restart web:blue --json",
        "deploy": "proxyswitch deploy web --version 2 --json",
        "recover": "proxyswitch recover --json",
        "doctor": "proxyswitch doctor --json",
        "generate": "proxyswitch generate nginx-upstream --name shop --blue 127.0.0.1:4001 --green 127.0.0.1:4002 --json",
        "generate --diff": (
            "proxyswitch generate nginx-upstream --name shop --blue 127.0.0.1:4001 --green 127.0.0.1:4002 --json --diff"
        ),
        "generate --write": (
            "proxyswitch generate nginx-upstream --name shop --blue 127.0.0.1:4001 --green 127.0.0.1:4002 --json --write"
            " --output /srv/web/shop.conf"
        ),
        "lint": "echo 'DROP TABLE review' | proxyswitch lint --kind sql - --format json",
    },
    "pool": {
        "an error of a change": "proxyswitch drain app_backend/127.0.0.1:3001 --json 2>/dev/null",
        "switch --dry-run": "proxyswitch switch app_backend 127.0.0.1:3002 --dry-run --json",
        "switch": "proxyswitch switch app_backend 127.0.0.1:3002 --json",
        "history": "proxyswitch history --json",
        "canary": (
            "proxyswitch adopt app_backend --blue 127.0.0.1:3001 --green 127.0.0.1:3002 --log /srv/web/tries.log --yes -q"
            " && proxyswitch canary app_backend 5% -q && proxyswitch canary app_backend --json"
        ),
    },
    "instant": {
        "show in instant mode": "proxyswitch show --json",
        "maintenance": "proxyswitch maintenance app_backend on --json",
        "adopt": "proxyswitch adopt app_backend --undo --yes --json",
    },
    "haproxy": {
        "show with HAProxy": "proxyswitch show --json",
        "switch with HAProxy": "proxyswitch switch app_backend green --json",
    },
}


def shape(value: Any, at: str = "") -> set[str]:
    """The keys of an object, as paths."""
    if isinstance(value, dict):
        return {f"{at}.{k}" for k in value}.union(*(shape(v, f"{at}.{k}") for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*(shape(v, f"{at}[]") for v in value))
    return set()


def documented_json() -> dict[str, Any]:
    text = (REPO / "docs" / "json.md").read_text()
    found = re.findall(r"^### (.*?)\n.*?^```json\n(.*?)^```$", text, re.M | re.S)
    return {title.replace("`", ""): json.loads(block) for title, block in found}


@pytest.mark.parametrize("kind", list(PRINTED))
def test_json_has_the_documented_keys(kind: str, tmp_path: Path, nginx_binary: str, haproxy_binary: str) -> None:
    documented = documented_json()
    with staged(tmp_path, kind) as stage:
        ended = stage.sh(*(stage.real(command) for command in PRINTED[kind].values()))
    for name, (out, _) in zip(PRINTED[kind], ended, strict=True):
        assert shape(json.loads(out.splitlines()[-1])) == shape(documented[name]), name


def test_all_documented_json_is_compared() -> None:
    assert documented_json().keys() == {name for commands in PRINTED.values() for name in commands}


# --- completeness


def test_generated_pages_are_fresh() -> None:
    argv = [sys.executable, str(REPO / "scripts" / "gen_docs.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def heading(text: str) -> str:
    """The anchor that a heading gets on the usual forges."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            anchors = {heading(h) for h in re.findall(r"^#+ (.*)$", file.read_text(), re.M)}
            assert anchor in anchors, f"{page.name}: {target}; there is {sorted(anchors)}"


def exit_codes() -> set[int]:
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.ProxyswitchError)]
    return {0, 70} | {kind.exit_code for kind in kinds}


@pytest.mark.parametrize("name", ["README.md", "docs/exit-codes.md"])
def test_every_exit_code_is_documented(name: str) -> None:
    rows = re.findall(r"^\| `?(\d+)`? \|", (REPO / name).read_text(), re.M)
    assert {int(row) for row in rows} >= exit_codes()
    assert "128+n" in (REPO / name).read_text()


def test_every_settings_key_is_documented() -> None:
    text = (REPO / "docs" / "settings.md").read_text()
    runners: list[Any] = list(settings_runners.RUNNERS.values())
    told: list[Any] = [settings.Notify, settings.Metrics, settings.Lint]
    for kind in (settings.Nginx, settings.Haproxy, *told, settings.App, *runners, settings.Health, settings.Hooks):
        for field in msgspec.structs.fields(kind):
            key = field.encode_name
            assert f"| `{key}` |" in text or f".{key}]`" in text, key


def test_every_command_is_documented() -> None:
    text = (REPO / "docs" / "cli.md").read_text()
    assert re.findall(r"^## proxyswitch (\S+)$", text, re.M) == list(COMMANDS)


def test_every_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for group in project["optional-dependencies"].values() for d in group)]
    text = (REPO / "docs" / "dependencies.md").read_text()
    for requirement in wanted:
        name = re.split(r"[<>=~! \[;]", requirement)[0]
        assert f"`{name}`" in text, name
