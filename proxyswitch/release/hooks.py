"""The person's own commands in a release: run with the facts of the release in their environment."""

from __future__ import annotations

import os

from proxyswitch.errors import Failed
from proxyswitch.release import plan
from proxyswitch.release.steps import RunHook
from proxyswitch.release.world import World
from proxyswitch.settings_base import Command as Words
from proxyswitch.system import run

LINES = 10


def argv(words: Words) -> tuple[str, ...]:
    """An argv list as it is; a string goes to the shell."""
    return ("/bin/sh", "-c", words) if isinstance(words, str) else tuple(words)


def facts(world: World, step: RunHook, error: str = "") -> dict[str, str]:
    """The environment of a hook: what is released, where to, and what was there before."""
    app = world.app(step.app)
    endpoint = plan.slot_of(step.app, app, step.slot).endpoint
    return {
        "PROXYSWITCH_APP": step.app,
        "PROXYSWITCH_HOOK": step.hook,
        "PROXYSWITCH_POOL": app.pool,
        "PROXYSWITCH_SLOT": step.slot,
        "PROXYSWITCH_ADDRESS": str(endpoint),
        "PROXYSWITCH_VERSION": step.version,
        "PROXYSWITCH_OLD_SLOT": step.old_slot,
        "PROXYSWITCH_OLD_VERSION": step.old_version,
        "PROXYSWITCH_ERROR": error,
        "APP_VERSION": step.version,
        "APP_SLOT": step.slot,
        "PORT": str(endpoint.port or ""),
    }


def run_hook(world: World, step: RunHook, error: str = "") -> None:
    """Run one hook. Raises Failed, with the last lines it wrote, when it does not end with status 0 in time."""
    hooks = world.app(step.app).hooks
    words = getattr(hooks, step.hook)
    if words is None:
        return
    folder = os.path.dirname(os.path.abspath(world.settings.path)) if world.settings.path else None
    command = run.Command(argv(words), timeout=float(hooks.timeout), cwd=folder, env=facts(world, step, error))
    result = run.run(command)
    if result.ok:
        return
    said = (result.out + result.err).strip().splitlines()[-LINES:]
    text = "".join(f"\n  | {line}" for line in said)
    raise Failed(f"the hook {step.hook} of {step.app} failed: {result.reason()}{text}")
