"""pm2: an ecosystem file for PM2, for releases in place or with two slots."""

from __future__ import annotations

from collections.abc import Mapping

from proxyswitch.generate import common, containers, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.model import Endpoint
from proxyswitch.settings_app import App
from proxyswitch.settings_base import Seconds

FORK, CLUSTER = "fork", "cluster"


def script(text: str) -> str:
    """A script in the folder of the app, or an absolute path."""
    words.path(text if text.startswith("/") else f"/{text}")
    return text


def address(text: str) -> Endpoint:
    place = Endpoint.parse(text)
    if place.path:
        raise ValueError(f"{text!r}: expected a host and a port, as 127.0.0.1:3000")
    return place


def _folder(values: Values) -> str:
    return f"/srv/{values['name']}/current"


def _instances(values: Values) -> int:
    return 1 if values["mode"] == FORK else 2


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    slots = list(app.slots.values())
    known: dict[str, str | list[str]] = {"name": name}
    known |= {"beside": "yes"} if len(slots) > 1 else {"address": slots[0]}
    if table := app.pm2:
        named = table.app or table.name
        known["name"] = name if "{" in named else named
        known |= {"script": table.script, "mode": table.exec_mode, "interpreter": table.interpreter}
        known["instances"] = str(table.instances or "")
        known["cwd"] = "" if len(slots) > 1 else table.cwd or table.current
        known["ready"] = {None: "", True: "yes", False: "no"}[table.wait_ready]
        known["ready_timeout"] = f"{table.listen_timeout:g}" if table.listen_timeout else ""
        known["grace"] = f"{table.kill_timeout:g}" if table.kill_timeout else ""
    return known


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    fork = values["mode"] == FORK
    if fork and values["instances"] > 1:
        raise ValueError(
            "--instances: in fork mode a second process cannot have the same port: leave it out, or --mode cluster"
        )
    if values["interpreter"] and not fork:
        raise ValueError("--interpreter: a cluster is one of Node's own: say --mode fork as well")
    _check_beside(values) if values["beside"] else _check_in_place(values)
    told = {key for key, _ in values["env"]} & {"HOST", "PORT"}
    if told:
        raise ValueError(f"--env: {min(told)} is told by --address, or with --beside by proxyswitch")
    return {"env_of_app": values["env"] + _places(values["address"])}


def _places(place: Endpoint | None) -> tuple[tuple[str, str], ...]:
    return (("HOST", place.host), ("PORT", str(place.port))) if place else ()


def _check_beside(values: Values) -> None:
    for key in ("address", "cwd"):
        if values[key]:
            raise ValueError(f"--beside and --{key}: proxyswitch tells each slot its own; leave one out")


def _check_in_place(values: Values) -> None:
    if values["mode"] == FORK:
        raise ValueError("--mode fork: there pm2 reload is a restart, with a gap: say --beside as well, or --mode cluster")
    if not values["ready"]:
        raise ValueError("--no-ready: PM2 would end the old workers before the new ones listen: leave it out, or --beside")


KIND = Kind(
    name="pm2",
    title="An ecosystem file for PM2, in place or with two slots.",
    values=(
        common.NAME,
        Value("beside", words.yes, "Two slots: each version is started beside the other.", False),
        Value(
            "address",
            address,
            "Where it listens, told by HOST and PORT. [default: 127.0.0.1:3000; with --beside none]",
            lambda values: None if values["beside"] else Endpoint("127.0.0.1", 3000),
            metavar="ADDRESS",
        ),
        Value("script", script, "The program, in the folder of the app.", "server.js", metavar="PATH"),
        Value(
            "cwd",
            words.path,
            "The link to the release that runs. [default: /srv/NAME/current; with --beside none]",
            lambda values: "" if values["beside"] else _folder(values),
            metavar="LINK",
        ),
        Value("mode", words.one_of(FORK, CLUSTER), "fork, for programs that are not Node's too, or cluster.", CLUSTER),
        Value("interpreter", words.path, "What runs the program, in fork mode. [default: node]", "", metavar="PATH"),
        Value(
            "instances",
            words.number(1, 1000),
            "The number of processes. [default: 2; 1 in fork mode]",
            _instances,
            metavar="N",
        ),
        Value("ready", words.yes, "The app says that it is ready: process.send('ready').", True),
        Value("ready_timeout", words.time, "How long it may need to get ready.", Seconds(30), metavar="TIME"),
        Value("grace", words.time, "How long it may answer what it has, after SIGINT.", Seconds(30), metavar="TIME"),
        containers.ENV,
    ),
    parts=(Part("ecosystem.config.js.j2", "ecosystem.config.js", check="code-node", comment="//"),),
    of_app=of_app,
    more=more,
    after='in [apps.{name}.pm2]: ecosystem = "ecosystem.config.js", and with two slots app = "{name}"; '
    "then: proxyswitch deploy {name}",
    variables={"env_of_app": "the variables, with HOST and PORT where they are the same for all versions"},
)
