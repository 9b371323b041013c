"""compose: an app as services of a compose file, one a slot, and an nginx beside them if there is none yet."""

from __future__ import annotations

from collections.abc import Mapping

from proxyswitch.generate import common, containers, words
from proxyswitch.generate.containers import Slot
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import AUTO, App

NGINX = "nginx"


def _slots(values: Values) -> tuple[Slot, ...]:
    both = ("blue=127.0.0.1:3001", "green=127.0.0.1:3002")
    return () if values["scaled"] else tuple(map(containers.slot, both))


def _service(values: Values) -> str:
    return "app" if values["scaled"] else "app-{slot}"


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    known: dict[str, str | list[str]] = {"name": name, "pool": app.pool}
    if AUTO in app.slots.values():
        known["scaled"] = "yes"
    else:
        known["slot"] = [f"{slot}={address}" for slot, address in app.slots.items()]
    if table := app.compose:
        known |= {"service": table.service, "image": table.image, "port": str(table.port or "")}
        known["grace"] = f"{table.grace:g}" if table.grace else ""
    return known


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    slots: tuple[Slot, ...] = values["slot"]
    _check(values, slots)
    ports = [(values["service"].replace("{slot}", name), f"{place}:{values['port']}") for name, place in slots]
    return {
        "check": containers.health_of(values),
        "image_of_version": containers.image_of(values, "-latest"),
        "services": ports or [(values["service"], f"127.0.0.1::{values['port']}")],
    }


def _check(values: Values, slots: tuple[Slot, ...]) -> None:
    """Raises ValueError for what does not go together."""
    if values["scaled"]:
        _check_scaled(values)
    elif "{slot}" not in values["service"]:
        raise ValueError("--service must contain {slot}: each slot is a service of its own; or say --scaled")
    elif len(slots) < 2:
        raise ValueError("--slot: two are needed, for the version that serves and the next one; or say --scaled")
    names, places = {name for name, _ in slots}, {place for _, place in slots}
    if len(names) < len(slots) or len(places) < len(slots):
        raise ValueError("--slot: two of them have the same name or address")
    if values["with_nginx"] and NGINX in {values["service"].replace("{slot}", name) for name in names}:
        raise ValueError(f"--service: {NGINX} is the service of --with-nginx")


def _check_scaled(values: Values) -> None:
    if values["slot"]:
        raise ValueError("--scaled and --slot: Docker gives out the ports of a service that is scaled; leave one out")
    if values["with_nginx"]:
        raise ValueError("--scaled and --with-nginx: the pool of a new nginx needs addresses that are known; leave one out")
    if "{slot}" in values["service"]:
        raise ValueError("--service must not contain {slot}: a service that is scaled has one slot")


KIND = Kind(
    name="compose",
    title="A compose file of an app, with nginx if you like.",
    values=(
        common.NAME,
        Value("scaled", words.yes, "One service, of which a second container runs during a release.", False),
        Value(
            "slot",
            containers.slot,
            "A slot and where it is published. [default: blue=127.0.0.1:3001, green=127.0.0.1:3002]",
            _slots,
            many=True,
            metavar="NAME=ADDRESS",
        ),
        Value(
            "service", containers.service, "The service, or one a slot. [default: app-{slot}]", _service, metavar="SERVICE"
        ),
        containers.IMAGE,
        containers.PORT,
        *containers.CARE,
        Value("with_nginx", words.yes, "An nginx as well, with its config in a folder beside.", False),
        Value("nginx_image", words.image, "The image of nginx.", "nginx:stable", metavar="IMAGE"),
        Value("listen", words.port, "The port that nginx listens on.", 80, metavar="PORT"),
        common.POOL,
    ),
    parts=(
        Part("compose.yaml.j2", "compose.yaml", check="compose"),
        Part(
            "compose-nginx.conf.j2",
            "nginx/conf.d/{name}.conf",
            check="nginx-alone",
            when=lambda values: values["with_nginx"],
        ),
    ),
    of_app=of_app,
    more=more,
    after='say in [apps.{name}.compose]: service = "{service}" and image = "{image}"; then: proxyswitch deploy {name}',
    variables={
        "check": "the words of the health check; none where the image has its own",
        "image_of_version": "the image, with the variable that tells its version",
        "services": "name and published port of each service",
    },
)
