"""How long each step of a plan can take at the longest, by the settings. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyswitch import durations
from proxyswitch.release import steps
from proxyswitch.release.steps import AnyStep, Plan
from proxyswitch.settings import App
from proxyswitch.settings_release import WAIT, Analysis

STOP = 10.0  # seconds that a stop may take whose runner has no such key
EDIT = 10.0  # seconds that a reload may take; at runtime or by a flag it is far less


def whole(plan: Plan, app: App) -> float:
    """All of a plan, in seconds."""
    return round(sum(longest(step, app) for step in plan.steps), 3)


def described(plan: Plan, app: App) -> list[str]:
    """The steps in words, each with its longest time."""
    return [_with_limit(step, longest(step, app)) for step in plan.steps]


def _with_limit(step: AnyStep, seconds: float) -> str:
    """A drain and a watch say it in their words, unless it can become longer."""
    said = step.seconds if isinstance(step, steps.Drain | steps.Watch) else 0.0
    return f"{steps.describe(step)}{f' (≤ {durations.show(seconds)})' if seconds > said else ''}"


def longest(step: AnyStep, app: App) -> float:
    """One step, in seconds; 0 for one that takes no time to speak of, or whose runner has a limit of its own."""
    ways: dict[type[Any], Callable[[Any], float]] = {
        steps.RunHook: lambda _: float(app.hooks.timeout),
        steps.Migrate: lambda _: float(app.migrate.timeout) if app.migrate else 0.0,
        steps.WaitHealthy: lambda step: float(step.total),
        steps.WarmUp: lambda _: _warm_up(app),
        steps.Prove: lambda _: EDIT,
        steps.Watch: lambda step: float(step.seconds + (step.patience if step.manual else _patience(app))),
        steps.Drain: lambda step: float(step.seconds),
        steps.StartInstance: lambda _: _of_runner(app, "start_timeout", "timeout"),
        steps.ReloadInstance: lambda _: _of_runner(app, "start_timeout", "timeout"),
        steps.StopInstance: lambda _: _of_runner(app, "grace", "stop_timeout") or STOP,
    }
    return ways.get(type(step), lambda _: 0.0)(step)


def _patience(app: App) -> float:
    """How much longer a watch may wait for requests."""
    limits = app.analysis or Analysis()
    return float(limits.patience) if app.analysis and limits.on_no_traffic == WAIT else 0.0


def _warm_up(app: App) -> float:
    if app.warmup is None:
        return 0.0
    asked = app.warmup.count * len(app.warmup.paths)
    return float(app.warmup.timeout) * -(-asked // app.warmup.concurrency)


def _of_runner(app: App, *keys: str) -> float:
    """The first of these limits that the table of its runner has."""
    table = getattr(app, app.driver)
    return next((float(value) for key in keys if (value := getattr(table, key, None))), 0.0)
