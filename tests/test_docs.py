"""The documentation is true: its examples run, its links lead somewhere, its tables are complete.

A block of shell behind `<!-- run: pool -->` or `<!-- run: app -->` is run in a folder of its own, with a private nginx. Both
have the pool app_backend with 127.0.0.1:3001 in it. In `pool`, version 1 answers there and version 2 on port 3002; in `app`,
the app web was started in slot blue as version 1, and green is empty. In a `console` block the lines behind `$ ` are run,
and what they print is compared: durations, pids and times may differ, and a table's columns may have other widths.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from proxyswitch import errors, settings
from proxyswitch.cli.app import COMMANDS
from proxyswitch.polling import until
from proxyswitch.system import net, proc, signals
from tests.conftest import REPO
from tests.e2e.support import APP, LIMIT, Bench, bench

PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").glob("*.md")])
BLOCK = re.compile(r"(?:^<!-- (?P<mark>run: \w+|part) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
SETTINGS = """\
[nginx]
conf = {conf}

[apps.web]
pool = "app_backend"
slots = {{ blue = "127.0.0.1:{blue}", green = "127.0.0.1:{green}" }}
watch = "100ms"

[apps.web.process]
command = [{python}, {app}]

[apps.web.health]
url = "http://{{address}}/health"
json = {{ status = "healthy", version = "{{version}}" }}
interval = "50ms"
"""


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


class Stage:
    """Where an example runs."""

    def __init__(self, place: Bench, kind: str) -> None:
        self.place, self.kind = place, kind
        self.blue = place.instance("1") if kind == "pool" else net.free_port()
        self.green = place.instance("2") if kind == "pool" else net.free_port()
        place.write(self.blue)
        self.config = place.folder / "proxyswitch.toml"
        conf, python, app = (json.dumps(str(p)) for p in (place.conf, sys.executable, APP))
        text = SETTINGS.format(conf=conf, blue=self.blue, green=self.green, python=python, app=app)
        self.config.write_text(text if kind == "app" else text.partition("[apps.web]")[0])
        self._program("proxyswitch", f'exec {shlex.quote(sys.executable)} -m proxyswitch "$@"')
        self._program("git", "echo 3f2a9c1")
        place.start()
        if kind == "app":
            assert self.sh("proxyswitch start web:blue --version 1 -q") == [("", 0)]

    def _program(self, name: str, text: str) -> None:
        path = self.place.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def _names(self) -> list[tuple[str, str]]:
        """What the documentation says, and what it is here."""
        folder = str(self.place.folder)
        files = [("/etc/nginx/conf.d/app.conf", str(self.place.pools)), ("/etc/nginx/nginx.conf", str(self.place.conf))]
        folders = [("/var/lib/proxyswitch", str(self.place.state)), ("/srv/web/proxyswitch.toml", str(self.config))]
        return [*files, *folders, ("/srv/web", folder), ("3001", str(self.blue)), ("3002", str(self.green))]

    def real(self, text: str) -> str:
        """A command of the documentation as it must be here."""
        for name, here in self._names():
            text = text.replace(name, here)
        return text

    def documented(self, text: str) -> str:
        """What was printed here, as the documentation has it."""
        for name, here in self._names():
            text = text.replace(here, name)
        return text

    def sh(self, *commands: str) -> list[tuple[str, int]]:
        """What each command printed, and its status; all in one shell."""
        mark = "---- end of a command: "
        script = "".join(f"{c}\ns=$?; echo '{mark}'$s; (exit $s)\n" for c in commands)
        env = self.place.environment({"PATH": f"{self.place.folder}/bin:/usr/sbin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"})
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            env=env,
            cwd=self.place.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        *parts, rest = re.split(rf"{mark}(\d+)\n", done.stdout)
        assert not rest, rest
        return [(out.strip(), int(code)) for out, code in zip(parts[::2], parts[1::2], strict=True)]

    def clear(self) -> None:
        """End what the examples started: all of it has our state folder in its environment."""

        def left() -> list[Any]:
            return list(proc.with_environment("PROXYSWITCH_STATE", str(self.place.state)))

        for process in left():
            signals.send(process, signals.KILL)
        until(lambda: None if left() else True, LIMIT)


@contextmanager
def staged(folder: Path, kind: str) -> Iterator[Stage]:
    with bench(folder) as place:
        stage = Stage(place, kind)
        try:
            yield stage
        finally:
            stage.clear()


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
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    rows = (" ".join(line.split()) for line in text.splitlines())
    return [row for row in rows if row.strip("─ ")]


@pytest.mark.parametrize("example", RUN, ids=lambda e: e.name)
def test_an_example_does_what_the_page_says(example: Example, tmp_path: Path, nginx_binary: str) -> None:
    wanted = commands(example)
    with staged(tmp_path, example.mark.removeprefix("run: ")) as stage:
        ended = stage.sh(*(stage.real(command) for command, _ in wanted))
        for (command, text), (out, code) in zip(wanted, ended, strict=True):
            if example.kind == "sh":
                assert code == 0, f"{command}\n{out}"
            else:
                assert plain(stage.documented(out)) == plain(text), f"{command}\n{out}"


def test_examples_are_found() -> None:
    assert {b.page.name for b in RUN} >= {"README.md", "guide-switch.md", "guide-deploy.md"}
    assert {b.kind for b in RUN} == {"sh", "console"}


@pytest.mark.parametrize("example", [b for b in BLOCKS if b.kind == "toml"], ids=lambda e: e.name)
def test_an_example_of_settings_is_valid(example: Example) -> None:
    text = example.text
    if "[apps.web]" not in text:
        text = '[apps.web]\npool = "p"\nslots = { blue = "127.0.0.1:1" }\n' + text
    if "[apps.web.process]" not in text:
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
    },
    "pool": {
        "an error of a change": "proxyswitch drain app_backend/127.0.0.1:3001 --json 2>/dev/null",
        "switch --dry-run": "proxyswitch switch app_backend 127.0.0.1:3002 --dry-run --json",
        "switch": "proxyswitch switch app_backend 127.0.0.1:3002 --json",
        "history": "proxyswitch history --json",
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
def test_json_has_the_documented_keys(kind: str, tmp_path: Path, nginx_binary: str) -> None:
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
    for kind in (settings.Nginx, settings.App, settings.Process, settings.Health, settings.Hooks):
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
