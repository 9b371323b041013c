"""What of a unit does not go together: each rule gives the sentence that says so, or nothing."""

from __future__ import annotations

import re

from proxyswitch.generate.value import Values

PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108  # they are only named


def refuse(values: Values) -> None:
    """Raises ValueError."""
    for fault in (_scope_fault(values), _type_fault(values), _slot_fault(values), _tmp_fault(values)):
        if fault:
            raise ValueError(fault)


def template(values: Values) -> bool:
    return bool(values["unit"].endswith("@"))


def _scope_fault(values: Values) -> str:
    if values["scope"] == "user" and values["user"]:
        return "--user: a unit of a user's own manager runs as that user: leave it out, or --scope system"
    if values["scope"] == "user" and (values["pidfile"] or values["writable"]):
        return "--scope user: leave out --pidfile (use --type notify) and --writable (it may write what its user may)"
    if values["scope"] == "system" and not values["user"]:
        return "--user must not be empty"
    return ""


def _type_fault(values: Values) -> str:
    if (values["type"] == "forking") != bool(values["pidfile"]):
        return "--type forking and --pidfile go together: systemd reads there which process is the main one"
    if values["pidfile"] and not re.fullmatch(r"/run/[^/{}]+(\{slot\})?/[^/]+", values["pidfile"]):
        return f"--pidfile: expected a file in a folder of its own below /run, as /run/{values['name']}/{values['name']}.pid"
    daemon = {"-D", "--daemon", "-p", "--pid"} & {word.partition("=")[0] for word in values["command"]}
    if values["app_server"] == "gunicorn" and daemon:
        return f"--command: leave out {min(daemon)}: --pidfile brings it"
    return ""


def _slot_fault(values: Values) -> str:
    """What differs between slots in a template must name the slot; where there is one slot, nothing may."""
    named = {key: values[key] for key in ("current", "environment_file", "pidfile", "secrets") if values[key]}
    named |= {"writable": " ".join(values["writable"]), "command": " ".join(values["command"])}
    if not template(values):
        told = [f"--{key.replace('_', '-')}" for key, text in named.items() if "{slot}" in text]
        return f"{told[0]} names {{slot}}, but {values['unit']} is no template: --unit {values['unit']}@" if told else ""
    for key in ("environment_file", "pidfile"):
        if "{slot}" not in named.get(key, "{slot}"):
            return f"--{key.replace('_', '-')} must contain {{slot}}: each slot needs its own"
    return ""


def _tmp_fault(values: Values) -> str:
    hidden = [path for path in paths(values) if below(path, PRIVATE)]
    if hidden and values["scope"] == "system":
        return f"{hidden[0]}: the unit has a /tmp and /var/tmp of its own, and does not see that"
    return ""


def paths(values: Values) -> list[str]:
    """All that it must see."""
    return [values["current"], *values["writable"], *(word for word in values["command"] if word.startswith("/"))]


def below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
