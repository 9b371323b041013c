"""systemd: the unit of an app, or the template of one for each slot, that may do no more than it must."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from proxyswitch.generate import common, unit_faults, unit_words, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App
from proxyswitch.settings_runners import Gunicorn, Process, Systemd

SPARE = 5  # seconds: what systemd waits longer than the app says it needs
HOMES = ("/home", "/root", "/run/user")
SHELLS = ("sh", "bash", "dash", "zsh")
SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH")


# what it is when nobody says it


def _unit(values: Values) -> str:
    return f"{values['name']}@"


def _server(values: Values) -> str:
    return "gunicorn" if any(os.path.basename(word) == "gunicorn" for word in values["command"]) else "none"


def _type(values: Values) -> str:
    if values["pidfile"]:
        return "forking"
    return "notify" if values["app_server"] == "gunicorn" else "exec"


def _reload(values: Values) -> str:
    return "HUP" if values["app_server"] == "gunicorn" else "none"


def _current(values: Values) -> str:
    return f"/srv/{values['name']}/slots/{{slot}}" if unit_faults.template(values) else f"/srv/{values['name']}/current"


def _user(values: Values) -> str:
    return "www-data" if values["scope"] == "system" else ""


# what the settings know


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    known: dict[str, str | list[str]] = {"name": name, "unit": name if len(app.slots) == 1 else ""}
    if app.systemd:
        known |= _of_systemd(app.systemd)
    if app.gunicorn:
        known |= _of_gunicorn(name, app, app.gunicorn)
    if app.process and not (app.systemd or app.gunicorn):
        known |= _of_process(app.process)
    return known


def _of_systemd(table: Systemd) -> dict[str, str | list[str]]:
    return {
        "unit": table.unit,
        "scope": table.scope,
        "current": table.current,
        "environment_file": table.environment_file,
    }


def _of_gunicorn(name: str, app: App, table: Gunicorn) -> dict[str, str | list[str]]:
    """It has one slot, whose address a command can name."""
    from proxyswitch.drivers._words import fill

    command = shlex.join(fill(word, app.places[0], "") for word in table.command)
    known: dict[str, str | list[str]] = {"unit": table.unit or name, "scope": table.scope, "command": command}
    known |= {"current": table.current, "app_server": "gunicorn", "grace": f"{float(table.grace):g}s"}
    return known | ({"user": table.user} if table.user else {})


def _of_process(table: Process) -> dict[str, str | list[str]]:
    """An app that proxyswitch started itself, and that is to become a unit."""
    command = shlex.join(["/bin/sh", "-c", table.command] if isinstance(table.command, str) else table.command)
    known: dict[str, str | list[str]] = {"command": command, "stop_signal": table.stop_signal.removeprefix("SIG")}
    known |= {"user": table.user, "grace": f"{float(table.grace):g}s"}
    return known | ({} if "{version}" in table.cwd else {"current": table.cwd})


# what follows


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    unit_faults.refuse(values)
    return {
        "template": unit_faults.template(values),
        "start": _start(values),
        "stop": values["grace"] + SPARE,
        "shell": os.path.basename(values["command"][0]) in SHELLS,
        "runtime": os.path.dirname(values["pidfile"]).removeprefix("/run/"),
        "in_home": any(unit_faults.below(path, HOMES) for path in unit_faults.paths(values)),
    }


def _start(values: Values) -> list[str]:
    """The command; a program below the link by its whole path, as systemd wants it."""
    first, *rest = values["command"]
    words = [os.path.normpath(os.path.join(values["current"], first)) if "/" in first else first, *rest]
    if values["app_server"] != "gunicorn":
        return words
    chdir = (
        [] if any(word.partition("=")[0] == "--chdir" for word in words) else ["--chdir", values["current"]]
    )  # it follows the link again at each HUP
    pid = ["--daemon", "--enable-stdio-inheritance", "--pid", values["pidfile"]] if values["pidfile"] else []
    return [*words, *chdir, *pid]


KIND = Kind(
    name="systemd",
    title="The unit of an app, with hardening.",
    values=(
        common.NAME,
        Value("command", unit_words.command, "What starts it; {port}, {host}, {slot} and {version} may stand there."),
        Value("unit", unit_words.unit, "The unit's name, as web@{slot} or web. [default: NAME@{slot}]", _unit),
        Value("scope", words.one_of("system", "user"), "Whose manager runs it: system or user.", "system"),
        Value("app_server", words.one_of("gunicorn", "none"), "gunicorn or none. [default: as the command tells]", _server),
        Value("pidfile", unit_words.slotted, "For --type forking: where the app writes its pid.", "", metavar="PATH"),
        Value(
            "type",
            words.one_of("exec", "notify", "forking"),
            "When it counts as started: exec, notify or forking. [default: exec; gunicorn: notify]",
            _type,
        ),
        Value(
            "reload",
            words.one_of("none", "HUP", "USR1", "USR2"),
            "The signal that reloads it in place. [default: none; gunicorn: HUP]",
            _reload,
            metavar="SIGNAL",
        ),
        Value(
            "current",
            unit_words.slotted,
            "The link to its release, or its folder. [default: /srv/NAME/slots/{slot}, or /srv/NAME/current for one slot]",
            _current,
            metavar="PATH",
        ),
        Value("user", words.user, "Who it runs as. [default: www-data]", _user, metavar="USER"),
        Value(
            "environment_file",
            unit_words.slotted,
            "The environment_file of its systemd table, as /etc/web/{slot}.env. Without one there is a drop-in.",
            "",
            metavar="PATH",
        ),
        Value("secrets", unit_words.slotted, "A file of yours with more variables.", "", metavar="PATH"),
        Value("writable", unit_words.slotted, "What it may write to.", (), many=True, metavar="PATH"),
        Value("grace", words.time, "How long it needs to end its requests. [default: 30s]", lambda _: 30, metavar="TIME"),
        Value("stop_signal", words.one_of(*SIGNALS), "What asks it to end.", "TERM", metavar="SIGNAL"),
        Value("jit", words.yes, "It makes code at run time, as node, Java and PyPy do.", True),
        Value("memory", words.size, "Kill it above that, as 512M.", None, metavar="SIZE"),
        Value("tasks", words.number(1, 4194304), "So many processes and threads at most.", None, metavar="N"),
    ),
    parts=(
        Part(
            "systemd.service.j2",
            "/etc/systemd/system/{unit}.service",
            check="systemd-unit",
            when=lambda values: bool(values["scope"] == "system"),
        ),
        Part(
            "systemd.service.j2",
            "~/.config/systemd/user/{unit}.service",
            check="systemd-user-unit",
            when=lambda values: bool(values["scope"] == "user"),
        ),
    ),
    of_app=of_app,
    more=more,
    after="systemctl --{scope} daemon-reload, then proxyswitch doctor: it says what is missing for a release",
    variables={
        "template": "Whether there is one for each slot.",
        "start": "The words of the command, with what gunicorn needs.",
        "stop": "After how many seconds it is killed.",
        "shell": "Whether a shell starts it, which does not pass a signal on.",
        "runtime": "The folder below /run that it gets, for its pid.",
        "in_home": "Whether it must see home folders.",
    },
)
