"""Is there room for a release: what its plan asks for, compared with what is free, before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyswitch.errors import NOTHING_CHANGED, Failed
from proxyswitch.release import steps
from proxyswitch.release.plan import Release
from proxyswitch.release.steps import Plan
from proxyswitch.release.world import World
from proxyswitch.settings import App
from proxyswitch.system import state

if TYPE_CHECKING:  # it is loaded when a release begins
    from proxyswitch.preflight import Verdict


def verdicts(release: Release, plan: Plan) -> list[Verdict]:
    """What the release lacks, or nearly."""
    from proxyswitch import preflight

    running = [found for found in release.instances.values() if found]
    folder = state.folder() / "apps" / release.name
    seen = preflight.look(release.name, release.app, running, more(plan, release.app), folder)
    return preflight.judge(release.app.needs, seen)


def refuse_full(world: World, release: Release, plan: Plan) -> None:
    """Raise Failed where it lacks something; what is close is a warning."""
    from proxyswitch.preflight import Level

    found = verdicts(release, plan)
    lacking = [verdict.what for verdict in found if verdict.level is Level.REFUSE]
    if lacking:
        step = "make room; or release it all the same: --skip-preflight"
        raise Failed("; ".join(lacking), state=NOTHING_CHANGED, next_step=step)
    for verdict in found:
        world.report(f"warning: {verdict.what}")


def more(plan: Plan, app: App) -> int:
    """How many instances more than now run at once, at the most, in the course of a plan."""
    now = most = 0
    for step in plan.steps:
        match step:
            case steps.StartInstance():
                now += 1
            case steps.StopInstance():
                now -= 1
        both = isinstance(step, steps.ReloadInstance) and not _ends_first(app)
        most = max(most, now + both)
    return most


def _ends_first(app: App) -> bool:
    """True where the runner ends the old version before it starts the new one in its place."""
    if app.systemd:
        return app.systemd.reload == "try-restart"
    return app.swarm is not None and app.swarm.update.order == "stop-first"
