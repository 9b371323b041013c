"""Requests to a new version before it has traffic: caches fill, code is compiled, connections open."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec

from proxyswitch import health
from proxyswitch.errors import Failed
from proxyswitch.model import Slot
from proxyswitch.release import checks, plan, steps
from proxyswitch.release.world import World
from proxyswitch.settings import Health
from proxyswitch.settings_release import WarmUp

FINE = "100-499"  # a page that wants a login warms up too


def warm_up(world: World, step: steps.WarmUp) -> None:
    """Send them, some at a time. Raises Failed for one that got 5xx or no answer: users would get that too."""
    app = world.app(step.app)
    if app.warmup is None:
        return
    slot = plan.slot_of(step.app, app, step.slot)
    asked = [
        _check(app.health or Health(), app.warmup, place, step.version, path)
        for _ in range(app.warmup.count)
        for place in checks.places_of(world, step.app, slot)
        for path in app.warmup.paths
    ]
    with ThreadPoolExecutor(app.warmup.concurrency) as pool:
        answers = list(pool.map(health.probe, asked))
    bad = [(check.url, answer.reason) for check, answer in zip(asked, answers, strict=True) if not answer.healthy]
    if bad:
        url, reason = bad[0]
        raise Failed(
            f"{len(bad)} of {len(asked)} requests that warm up {step.app} {step.version} failed, as {url}: {reason}",
            next_step=f"read its log: proxyswitch logs {step.app}:{step.slot}",
        )


def _check(base: Health, settings: WarmUp, place: Slot, version: str, path: str) -> health.Check:
    """The health check's host, headers and scheme, for another path."""
    scheme = "https" if base.url.startswith("https:") else "http"
    url = f"{scheme}://{{address}}/{path.removeprefix('/')}"
    wanted = msgspec.structs.replace(base, url=url, status=FINE, body="", json={}, timeout=settings.timeout)
    return health.check_for(wanted, place, version)
