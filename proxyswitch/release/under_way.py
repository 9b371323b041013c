"""A release that is under way, or was cut off: how far it is, by its journal."""

from __future__ import annotations

from typing import Any

import msgspec

from proxyswitch.model import ProcessId
from proxyswitch.release import steps
from proxyswitch.release.engine import plan_of
from proxyswitch.release.history import Entry
from proxyswitch.release.journal import Record
from proxyswitch.release.running import journal_of
from proxyswitch.system import proc

ALL = 100  # percent


def look(app: str) -> dict[str, Any] | None:
    """The release as data; None when all are finished. `runs` is false for one that was cut off.

    Raises NeedsPerson when the journal makes no sense.
    """
    records = journal_of(app).records()
    if records and records[0].get("group"):  # released together with others: the journal of the first has the plan
        return look(records[0]["group"])
    plan = plan_of(journal_of(app))
    if plan is None:
        return None
    entry = msgspec.convert(records[0]["entry"], Entry)
    at = [r for r in records if r["kind"] == "step" and r["state"] == "begin"]
    number = at[-1]["number"] if at else 0
    runs = _runs(records[0])
    return {
        "id": entry.id,
        "kind": entry.kind,
        "from": {"slot": entry.old_slot, "version": entry.old_version},
        "to": {"slot": entry.slot, "version": entry.version},
        "begun": entry.at,
        "user": entry.user,
        "command": entry.command,
        "runs": runs,
        "step": steps.describe(plan.steps[number]),
        "number": number + 1,
        "steps": len(plan.steps),
        "decision": _decision(plan.steps[number], at[-1]["at"]) if runs and at else None,
    }


def _runs(begun: Record) -> bool:
    return bool(begun.get("process")) and proc.alive(ProcessId(*begun["process"]))


def _decision(step: steps.AnyStep, begun: float) -> dict[str, Any] | None:
    """What a person may decide now, and until when (seconds since 1970); None where nothing is asked."""
    if not isinstance(step, steps.Watch) or step.share == ALL:
        return None
    return {"share": step.share, "manual": step.manual, "until": begun + step.seconds + step.patience * step.manual}
