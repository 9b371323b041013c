"""systemd-timer: a release or a switch at its time, by a timer of systemd or a line of cron."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping

from proxyswitch.generate import common, unit_words, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App

USUAL = "/usr/local/bin/proxyswitch"


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:  # noqa: ARG001
    return {"name": name, "run": f"deploy {shlex.quote(name)}"}


def _program(values: Values) -> str:  # noqa: ARG001
    return shutil.which("proxyswitch") or USUAL


def _unit(values: Values) -> str:
    return f"{values['name']}-{values['run'][0]}"


def _user(values: Values) -> str:
    return "root" if values["scope"] == "system" else ""


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    for fault in (_time_fault(values), _user_fault(values)):
        if fault:
            raise ValueError(fault)
    return {"what": shlex.join(values["run"]), "command": _command(values)}


def _command(values: Values) -> list[str]:
    """Quiet, with the settings that it reads, and it waits for another that is at work instead of ending with 75."""
    run = list(values["run"])
    quiet = [] if {"-q", "--quiet", "--json"} & set(run) else ["-q"]
    wait = [] if "--lock-timeout" in run else ["--lock-timeout", f"{float(values['wait']):g}s"]
    settings = ["--config", values["settings"]] if values["settings"] else []
    return [values["program"], *run, *quiet, *wait, *settings]


def _time_fault(values: Values) -> str:
    if bool(values["at"]) == bool(values["cron"]):
        return "--at (for a timer of systemd's) or --cron is needed, and not both: it would be done twice"
    if values["cron"] and values["persistent"]:
        return "--persistent: cron does not make up for a time that it missed: use --at"
    if "--config" in values["run"] and values["settings"]:
        return "--settings: --run names a --config already"
    return ""


def _user_fault(values: Values) -> str:
    if values["scope"] == "user" and values["cron"]:
        return "--scope user: a file in /etc/cron.d is root's: name the --user there, and leave out --scope"
    if values["scope"] == "user" and values["user"]:
        return "--user: a timer of a user's own manager runs as that user: leave it out, or --scope system"
    return ""


def _timer(scope: str, template: str, check: str) -> Part:
    folder = "/etc/systemd/system" if scope == "system" else "~/.config/systemd/user"
    ending = template.rpartition(".")[2]
    return Part(
        f"{template}.j2",
        f"{folder}/{{unit}}.{ending}",
        check=check,
        when=lambda values: bool(values["at"]) and bool(values["scope"] == scope),
    )


def _after(values: Values) -> str:
    if values["cron"]:
        return "nothing: cron reads that folder by itself"
    return "systemctl --{scope} daemon-reload && systemctl --{scope} enable --now {unit}.timer"


KIND = Kind(
    name="systemd-timer",
    title="A release or a switch at its time: a timer, or cron.",
    values=(
        common.NAME,
        Value("run", unit_words.order, "What is done, as 'deploy web' or 'switch web_backend green --drain 60s'."),
        Value("at", unit_words.calendar, "When, for a timer: as 'Sat 03:05' or '*-*-01 04:00:00 Europe/Berlin'.", ""),
        Value("cron", unit_words.cron, "When, for cron: as '5 3 * * *'.", ""),
        Value("unit", words.name, "The name of the files. [default: NAME-deploy, by what is done]", _unit, metavar="NAME"),
        Value("scope", words.one_of("system", "user"), "Whose manager runs the timer: system or user.", "system"),
        Value("user", words.user, "Who it runs as. [default: root]", _user, metavar="USER"),
        Value("settings", words.path, "The proxyswitch.toml that it reads.", "", metavar="PATH"),
        Value("program", words.path, "Where proxyswitch is. [default: where it is here]", _program, metavar="PATH"),
        Value(
            "wait",
            words.time,
            "How long it waits for another release that is under way. [default: 10m]",
            lambda _: 600,
            metavar="TIME",
        ),
        Value(
            "timeout",
            words.time,
            "After how long it is ended, and takes back what it began. [default: 1h]",
            lambda _: 3600,
            metavar="TIME",
        ),
        Value("persistent", words.yes, "Make up for a time when the machine was off.", False),
    ),
    parts=(
        _timer("system", "systemd-timer.service", "systemd-unit"),
        _timer("system", "systemd-timer.timer", "systemd-unit"),
        _timer("user", "systemd-timer.service", "systemd-user-unit"),
        _timer("user", "systemd-timer.timer", "systemd-user-unit"),
        Part("systemd-timer.cron.j2", "/etc/cron.d/{unit}", when=lambda values: bool(values["cron"])),
    ),
    of_app=of_app,
    more=more,
    after=_after,
    variables={"what": "What is done, as text.", "command": "All words of the command."},
)
