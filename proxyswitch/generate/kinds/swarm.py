"""swarm: an app as a service of a stack."""

from __future__ import annotations

from collections.abc import Mapping

from proxyswitch.generate import common, containers, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App
from proxyswitch.settings_base import Seconds


def _name(values: Values) -> str:
    return str(values["name"])


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    """A slot with an address is the mesh, which has one for all tasks."""
    known: dict[str, str | list[str]] = {"name": name, "grace": f"{app.drain:g}"}
    known["mesh"] = str(app.places[0].endpoint.port or "")
    if table := app.swarm:
        stack, _, service = table.service.partition("_")
        known |= {"stack": stack, "service": service, "image": table.image, "port": str(table.port or "")}
        known |= {"replicas": str(table.replicas or "")}
        for key in ("delay", "monitor", "parallelism"):
            found = getattr(table.update, key)
            known[key] = "" if found is None else f"{found:g}"
    return known


def more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    replicas, parallelism, mesh = values["replicas"], values["parallelism"], values["mesh"]
    if parallelism >= replicas > 1:
        raise ValueError("--parallelism: fewer than --replicas, so that some tasks serve while others are replaced")
    if replicas == 1 and not mesh:
        raise ValueError("--replicas: one task is replaced by one at another port, and requests fail: 2, or --mesh PORT")
    return {
        "check": containers.health_of(values),
        "image_of_version": containers.image_of(values, "?say which version: APP_VERSION=1"),
    }


KIND = Kind(
    name="swarm",
    title="A stack file for Docker Swarm.",
    values=(
        common.NAME,
        Value("stack", words.name, "The stack's name. [default: NAME]", _name, metavar="STACK"),
        Value("service", words.name, "The service's name in the stack.", "app", metavar="SERVICE"),
        containers.IMAGE,
        containers.PORT,
        Value(
            "mesh",
            words.port,
            "Publish this port on all nodes, by the mesh. [default: each task gets a port of its node, no mesh]",
            lambda values: 0,  # noqa: ARG005
            metavar="PORT",
        ),
        Value("replicas", words.number(1, 10000), "The number of tasks.", 2, metavar="N"),
        Value("parallelism", words.number(1, 10000), "How many tasks are replaced at a time.", 1, metavar="N"),
        Value("delay", words.time, "How long Swarm waits after each step.", Seconds(2), metavar="TIME"),
        Value("monitor", words.time, "How long a new task is watched for failure.", Seconds(5), metavar="TIME"),
        *containers.CARE,
    ),
    parts=(Part("stack.yaml.j2", "stack.yaml", check="swarm"),),
    of_app=of_app,
    more=more,
    after="APP_VERSION=1 docker stack deploy -c stack.yaml {stack}; "
    'and in [apps.{name}.swarm]: service = "{stack}_{service}" and image = "{image}"',
    variables={
        "check": "the words of the health check; none where the image has its own",
        "image_of_version": "the image, with the variable that tells its version",
    },
)
