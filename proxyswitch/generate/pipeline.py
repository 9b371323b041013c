"""What the kinds of CI share: the values of a pipeline, what the settings know of them, and its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyswitch.generate import common, words
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App

OPERATORS = frozenset({"&&", "||", "|", "&", ";", ">", ">>", "<", "2>&1"})
VERSION = "{version}"


def _make(target: str) -> tuple[tuple[str, ...], ...]:
    return (("make", target),)


def _build(values: Values) -> tuple[tuple[str, ...], ...]:
    return () if values["image"] else _make("build")


VALUES = (
    common.NAME,
    Value("runner", words.label, "The label of the runner on the machine of the proxy.", "production", metavar="LABEL"),
    Value("branch", words.branch, "What is pushed there is released.", "main", metavar="BRANCH"),
    Value(
        "test",
        words.command,
        "What tests it. [default: make test]",
        lambda values: _make("test"),  # noqa: ARG005
        many=True,
        metavar="COMMAND",
    ),
    Value("image", words.image, "The image that is built and released, without a tag.", "", metavar="IMAGE"),
    Value(
        "build",
        words.command,
        "What builds it. [default: make build; with --image nothing but docker build]",
        _build,
        many=True,
        metavar="COMMAND",
    ),
    Value("artifact", words.inside, "What the build has made, and the machine needs.", "dist", metavar="PATH"),
    Value(
        "releases",
        words.path,
        "Where each version gets a folder there. [default: /srv/NAME/releases]",
        lambda values: f"/srv/{values['name']}/releases",
        metavar="FOLDER",
    ),
    Value(
        "settings",
        words.path,
        "The settings there. [default: /srv/NAME/proxyswitch.toml]",
        lambda values: f"/srv/{values['name']}/proxyswitch.toml",
        metavar="FILE",
    ),
    Value("health_url", words.url, "What the world calls, and must answer as the new version.", "", metavar="URL"),
    Value("proxyswitch", words.command, "How proxyswitch is called there.", ("proxyswitch",), metavar="COMMAND"),
)


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    """The image, or the folder of the releases, as the app's runner names them."""
    runner: Any = getattr(app, app.driver)
    image = str(getattr(runner, "image", "")).removesuffix(f":{VERSION}")
    found = {"name": name, "image": image, "releases": _releases(runner)}
    return {key: text for key, text in found.items() if text and VERSION not in text}


def _releases(runner: Any) -> str:
    """The folder above the one that has the version for its name."""
    for key in ("release", "cwd"):
        head, found, _ = str(getattr(runner, key, "")).partition(f"/{VERSION}")
        if found and head.startswith("/"):
            return head
    return ""


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    """Raises ValueError for what CI or a shell would take for something else than a word."""
    for key in ("test", "build"):
        for command in values[key]:
            _check(f"--{key}", command)
    _check("--proxyswitch", values["proxyswitch"])
    if ":" in values["image"].rpartition("/")[2] or "@" in values["image"]:
        raise ValueError("--image: leave out the tag: each version gets its own")
    host = values["image"].partition("/")[0]
    return {"registry": host if "/" in values["image"] and ("." in host or ":" in host) else ""}


def _check(option: str, command: tuple[str, ...]) -> None:
    for word in command:
        if word in OPERATORS:
            raise ValueError(f"{option}: {word} is for a shell, and this is one command: give {option} again for the next")
        if not word.isprintable():
            raise ValueError(f"{option}: {word!r} has a sign that cannot be printed")
        if "${{" in word:
            raise ValueError(f"{option}: {word!r}: CI would put a text of others into the command")


VARIABLES = {"registry": "The host of the image's registry; empty where the image stays on the machine."}
