"""Who may import whom (docs/design.md), read from the source. A wrong arrow fails with its file and line."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import REPO

PACKAGE = REPO / "proxyswitch"
BASE = {"model", "errors", "durations"}
WORKERS = {"proxies", "drivers", "health", "notify", "metrics", "preflight", "generate"}
SETTINGS = {
    "settings",
    "settings_app",
    "settings_base",
    "settings_convert",
    "settings_lint",
    "settings_notify",
    "settings_pm2",
    "settings_release",
    "settings_runners",
}
LOW = {*BASE, "conf", "system", *SETTINGS, "settings_file", "polling", "resources"}
# Module or package to what it may import of ours, itself apart. The longest name that fits counts.
ALLOWED: dict[str, set[str]] = {
    "durations": set(),
    "errors": set(),
    "model": set(),
    "conf": {"model", "errors"},
    "system": {"model", "errors"},
    "settings_base": BASE,
    "settings_pm2": {*BASE, "settings_base"},
    "settings_runners": {*BASE, "settings_base", "settings_pm2"},
    "settings_convert": {*BASE, "settings_base"},
    "settings_lint": {*BASE, "settings_base"},
    "settings_notify": {*BASE, "settings_base"},
    "settings_release": {*BASE, "settings_base"},
    "settings_app": {*BASE, "settings_base", "settings_pm2", "settings_release", "settings_runners"},
    "settings": {*BASE, *SETTINGS},
    "settings_file": {*BASE, "settings"},
    "resources": set(),
    "polling": {*BASE, "system"},
    **dict.fromkeys(WORKERS, LOW | WORKERS),
    "proposal": LOW | WORKERS,
    # what init makes of what it has seen: pure
    "proposal.seen": {"model"},
    "proposal.names": {"model"},
    "proposal.toml": set(),
    "proposal.secrets": set(),
    "proposal.compose_text": {"proposal.seen"},
    "proposal.proposed": set(),
    "proposal.in_docker": {"model", "proposal.names", "proposal.proposed", "proposal.seen"},
    "proposal.slots": {"model", "proposal.names", "proposal.proposed", "proposal.runners", "proposal.seen"},
    "proposal.runners": {
        "model",
        "proposal.in_docker",
        "proposal.names",
        "proposal.proposed",
        "proposal.secrets",
        "proposal.seen",
    },
    "proposal.match": {
        "model",
        "proposal.names",
        "proposal.proposed",
        "proposal.runners",
        "proposal.secrets",
        "proposal.seen",
        "proposal.slots",
    },
    "proposal.write": {"proposal.proposed", "proposal.seen", "proposal.toml"},
    "proxies": LOW | WORKERS - {"drivers"},
    "drivers": LOW | WORKERS - {"proxies"},
    "notify": {*BASE, "settings_notify", "system"},
    "notify.child": set(),  # a program of its own, which needs nothing but Python
    "metrics": {*BASE, "settings_notify", "system"},
    "lint": {"model", "errors", "conf", "system"},
    "lint.settings": {"errors", "conf", "lint"},
    "lint.rules.settings": {"errors", "conf", "lint", "settings", "settings_convert", "settings_lint"},
    "release": LOW | WORKERS,
    # the pure part of a release: what to do, as data
    "release.plan": {*BASE, *SETTINGS, "release.steps", "release.intents"},
    "release.pieces": {*BASE, *SETTINGS, "release.steps", "release.intents", "release.plan"},
    "release.strategies": {*BASE, *SETTINGS, "release.steps", "release.intents", "release.plan", "release.pieces"},
    "release.steps": {*BASE, "settings", "release.intents"},
    "release.intents": {*BASE, "settings"},
    "doctor": LOW | WORKERS | {"release"},
    "demo": LOW | WORKERS | {"release"},
    "cli": LOW | WORKERS | {"lint", "release", "doctor", "demo", "proposal"},
    "__main__": {"cli"},
    "__init__": set(),
}
RAW_MODULES = {"subprocess", "socket", "time", "signal"}
RAW_CALLS = {"replace", "rename"}


def fits(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def rule(module: str) -> str:
    """The entry of ALLOWED for a module; a module that nobody has placed is an error."""
    names = [name for name in ALLOWED if fits(module, name)]
    assert names, f"proxyswitch/{module}: not placed in tests/test_imports.py"
    return max(names, key=len)


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Every module that is imported anywhere in the file; `from x import y` counts as x.y."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def renames(tree: ast.AST) -> Iterator[int]:
    """The lines that call os.replace or os.rename."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in RAW_CALLS and ast.unparse(node.value) == "os":
            yield node.lineno


def wrong(source: str, place: str) -> Iterator[str]:
    """One message for each wrong arrow of a file; `place` is its path below the package."""
    module = place.removesuffix(".py").replace("/", ".")
    module = module.removesuffix(".__init__") if "." in module else module
    package = f"proxyswitch.{module}" if place.endswith("/__init__.py") else f"proxyswitch.{module}".rpartition(".")[0]
    tree, own = ast.parse(source), rule(module)
    for line, name in imports(tree, package):
        top, _, target = name.partition(".")
        if top == "proxyswitch":
            if target and not target.startswith("__version__") and not may(own, target):
                yield f"proxyswitch/{place}:{line}: {own} must not import {target}"
        elif own != "system" and (top in RAW_MODULES or name in {f"os.{call}" for call in RAW_CALLS}):
            yield f"proxyswitch/{place}:{line}: only system/ may import {name}"
    if own != "system":
        yield from (f"proxyswitch/{place}:{line}: only system/ may rename files" for line in renames(tree))


def may(own: str, target: str) -> bool:
    return fits(target, own) or any(fits(target, name) for name in ALLOWED[own])


def test_every_arrow_points_the_right_way() -> None:
    found: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith("data/"):
            found += wrong(path.read_text(), place)
    assert not found, "\n".join(found)


def only(source: str, place: str) -> str:
    (message,) = wrong(source, place)
    return message


def test_a_wrong_arrow_is_found() -> None:
    assert only("import os\n\nfrom proxyswitch.drivers import base\n", "proxies/nginx.py") == (
        "proxyswitch/proxies/nginx.py:3: proxies must not import drivers.base"
    )
    assert "conf must not import system" in only("from proxyswitch import system", "conf/text.py")
    assert "must not import cli" in only("def f():\n    import proxyswitch.cli.show", "drivers/process.py")
    assert "release.plan must not import release.engine" in only(
        "from proxyswitch.release.engine import run", "release/plan.py"
    )
    assert "must not import system" in only("from proxyswitch.system.clock import now", "settings.py")
    assert "must not import release" in only("from ..release import plan", "proxies/base.py")
    assert "lint must not import proxies" in only("from proxyswitch.proxies import base", "lint/rules/sql/truncate.py")
    assert "drivers must not import proxies" in only("from ..proxies import base", "drivers/__init__.py")


def test_a_raw_effect_outside_system_is_found() -> None:
    for source in ("import time", "from socket import create_connection", "import subprocess as s", "import signal"):
        assert "only system/ may import" in only(source, "health.py")
        assert not list(wrong(source, "system/run.py"))
    assert ":2: only system/ may rename" in only("import os\nos.replace('a', 'b')", "release/journal.py")
    assert "only system/" in only("from os import rename", "release/journal.py")
    assert not list(wrong("text.replace('a', 'b')\nfrom dataclasses import replace", "release/journal.py"))


def test_right_arrows_pass() -> None:
    source = "from proxyswitch.model import Pool\nfrom proxyswitch.conf.nginx import chain\nfrom . import base\n"
    assert not list(wrong(source, "proxies/nginx.py"))
    assert not list(wrong("from proxyswitch import __version__", "cli/__init__.py"))
    assert not list(wrong("from proxyswitch.cli import main", "__main__.py"))


def test_a_module_without_a_place_is_found() -> None:
    with pytest.raises(AssertionError, match="not placed"):
        list(wrong("", "surprise.py"))
