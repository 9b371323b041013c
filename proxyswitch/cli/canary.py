"""What `canary POOL` shows: how the two sides of a pool in instant mode do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxyswitch import durations
from proxyswitch.cli import output
from proxyswitch.cli.context import Given, Proxies

if TYPE_CHECKING:  # imported when it is shown: it costs time at the start
    from proxyswitch.proxies.nginx_canary import View
    from proxyswitch.proxies.nginx_log_counts import Counts

COLUMNS = ("slot", "share", "tries", "failed", "5xx", "no answer", "left", "p50", "p95", "p99")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def show(given: Given, pool: str, *, json: bool) -> None:
    """Print it. Raises UsageError where there is no log of tries."""
    from proxyswitch.proxies import nginx_canary

    proxy, name = Proxies(given).of_pool(pool)
    seen = nginx_canary.view(proxy, name)
    data = facts(seen)
    if json:
        output.as_json(data)
    else:
        output.table(COLUMNS, [_row(slot, counts) for slot, counts in data["slots"].items()])
    if not given.quiet:
        _tell(seen, data, json=json)


def facts(seen: View) -> dict[str, Any]:
    """The JSON object; times are in seconds, null where none was noted."""
    from proxyswitch.conf.nginx.instant import BLUE, GREEN
    from proxyswitch.proxies.nginx_flags import BUCKETS

    shares = {BLUE: BUCKETS - seen.flag.share, GREEN: seen.flag.share}
    tally = seen.tally
    return {
        "pool": seen.pool,
        "rising": seen.flag.rising,
        "since": seen.since,
        "slots": {slot: {"share": share, **_facts(tally.slots[slot], "tries")} for slot, share in shares.items()},
        "clients": _facts(tally.clients, "requests"),
        "elsewhere": tally.elsewhere,
        "lost": seen.lost,
        "broken": tally.broken,
    }


def _facts(counts: Counts, what: str) -> dict[str, Any]:
    """How many there were, and what came of them."""
    classes = counts.classes
    return {
        what: counts.attempts,
        "failed": counts.failed,
        "5xx": classes.get("5xx", 0),
        "no_answer": classes.get("none", 0),
        "left": counts.left,
        **{name: counts.times.quantile(share) for name, share in QUANTILES.items()},
    }


def _row(slot: str, data: dict[str, Any]) -> list[str]:
    counts = [str(data[key]) for key in ("tries", "failed", "5xx", "no_answer", "left")]
    return [slot, f"{data['share']} %", *counts, *(_milliseconds(data[name]) for name in QUANTILES)]


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _tell(seen: View, data: dict[str, Any], *, json: bool) -> None:
    """What belongs to the table, and what makes the counts doubtful."""
    from proxyswitch.system import clock

    if not json:
        ago = f"since the last change of the share, {durations.show(clock.wall() - seen.since)} ago" if seen.since else ""
        got = data["clients"]
        output.note(f"{ago or 'in all of the log'}: {got['requests']} requests of clients, {got['failed']} of them failed")
    for problem in seen.problems:
        output.note(f"warning: {problem}")
