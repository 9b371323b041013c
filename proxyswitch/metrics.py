"""Figures of releases in a text file, for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from proxyswitch.errors import UsageError
from proxyswitch.model import Problem
from proxyswitch.settings_notify import Metrics
from proxyswitch.system import files

if TYPE_CHECKING:
    from prometheus_client.core import Metric

EXTRA = "pip install 'proxyswitch[metrics]'"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is told of one app. `last_success` in seconds since 1970, 0 for none; `drain` of that release.

    `slots` are those that the last release had to do with: name, version, and whether it was left with the traffic.
    """

    app: str
    done: int = 0
    failed: int = 0
    last_success: float = 0.0
    last_seconds: float = 0.0
    drain: float = 0.0
    slots: tuple[tuple[str, str, bool], ...] = ()


def write(path: str, figures: Iterable[Figures]) -> None:
    """Write the file whole or not at all. Raises UsageError or Failed, with the reason, when it cannot be."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ModuleNotFoundError:
        raise UsageError("prometheus-client is not installed", next_step=EXTRA) from None
    registry = CollectorRegistry()
    registry.register(_Collector(tuple(figures)))
    files.clear(os.path.dirname(path))
    files.replace(path, generate_latest(registry), 0o644)


class _Collector:
    """Gives what it was made of, whenever it is asked."""

    def __init__(self, figures: tuple[Figures, ...]) -> None:
        self.figures = figures

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        releases = CounterMetricFamily(
            "proxyswitch_releases", "Releases and rollbacks, by how they ended.", labels=("app", "result")
        )
        success = GaugeMetricFamily(
            "proxyswitch_last_success_timestamp_seconds", "When the last release that succeeded had ended.", labels=("app",)
        )
        took = GaugeMetricFamily("proxyswitch_last_release_seconds", "How long the last release took.", labels=("app",))
        drain = GaugeMetricFamily(
            "proxyswitch_drain_seconds", "How long the old side took to drain, the last time.", labels=("app",)
        )
        slots = GaugeMetricFamily(
            "proxyswitch_active_slot",
            "1 for the slot that the last release left with the traffic.",
            labels=("app", "slot", "version"),
        )
        for one in self.figures:
            releases.add_metric((one.app, "done"), one.done)
            releases.add_metric((one.app, "failed"), one.failed)
            if one.last_success:
                success.add_metric((one.app,), one.last_success)
            took.add_metric((one.app,), one.last_seconds)
            drain.add_metric((one.app,), one.drain)
            for slot, version, active in one.slots:
                slots.add_metric((one.app, slot, version), float(active))
        yield from (releases, success, took, drain, slots)


def problems(metrics: Metrics) -> list[Problem]:
    """What would keep the file from being written: for `doctor`."""
    if not metrics.textfile:
        return []
    found = [] if find_spec("prometheus_client") else [Problem("metrics: prometheus-client is not installed", EXTRA)]
    folder = os.path.dirname(metrics.textfile)
    if not os.path.isdir(folder):
        found.append(Problem(f"metrics: there is no folder {folder}", "make it, and give it to node_exporter"))
    elif not os.access(folder, os.W_OK | os.X_OK):
        found.append(Problem(f"metrics: no permission to write in {folder}", "let the user who releases write there"))
    return found
