"""pre-commit: our hooks for a repository, those that fit what is in it."""

from __future__ import annotations

from collections.abc import Mapping

from proxyswitch import __version__
from proxyswitch.generate import words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App

HOOKS = ("nginx", "haproxy", "settings", "sql")  # each an option, and --HOOK-files its files; then `config`


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:  # noqa: ARG001
    proxies = {proxy for proxy, _ in app.targets}
    return {
        "nginx": "no" if proxies == {"haproxy"} else "yes",
        "haproxy": "yes" if "haproxy" in proxies else "no",
        "sql": "yes" if app.migrate else "no",
    }


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    """The hooks, each with its files. Raises ValueError when there are none."""
    for hook in HOOKS:
        if values[f"{hook}_files"] and not values[hook]:
            raise ValueError(f"--{hook}-files is for --{hook}")
    hooks = [(hook, values[f"{hook}_files"]) for hook in HOOKS if values[hook]]
    if values["whole"]:
        hooks.append(("config", ""))
    if not hooks:
        raise ValueError("no hook is left: ask for --nginx, --haproxy, --settings, --sql or --whole")
    return {"hooks": hooks, "suffix": "-system" if values["system"] else ""}


def _files(hook: str, what: str) -> Value:
    return Value(f"{hook}_files", words.pattern, f"Which files are {what}, by a pattern of yours.", "", metavar="REGEX")


KIND = Kind(
    name="pre-commit",
    title="Hooks of pre-commit or prek that lint configs and SQL.",
    values=(
        Value("repo", words.repository, "The address of your copy of proxyswitch's repository.", metavar="REPO"),
        Value("rev", words.branch, "Its version.", f"v{__version__}", metavar="TAG"),
        Value("nginx", words.yes, "Configs of nginx.", True),
        _files("nginx", "configs of nginx"),
        Value("haproxy", words.yes, "Configs of HAProxy.", False),
        _files("haproxy", "configs of HAProxy"),
        Value("settings", words.yes, "Settings of proxyswitch.", True),
        _files("settings", "settings"),
        Value("sql", words.yes, "SQL migrations.", False),
        _files("sql", "migrations"),
        Value("whole", words.yes, "Whole configs: what `files` in the settings names.", False),
        Value("system", words.yes, "Use the proxyswitch that is installed.", False),
    ),
    parts=(Part("pre-commit.yaml.j2", ".pre-commit-config.yaml", check="code-hooks"),),
    of_app=of_app,
    more=more,
    after="pre-commit install; then pre-commit run --all-files",
    variables={
        "hooks": "The hooks, each with the pattern of its files, empty for its own.",
        "suffix": "What stands behind the name of a hook.",
    },
)
