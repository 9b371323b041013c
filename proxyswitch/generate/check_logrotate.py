"""logrotate reads what was made for it, beside what it rotates already: `logrotate -d`, which changes nothing."""

from __future__ import annotations

import glob
import os
import re
import shutil

from proxyswitch.generate import scratch
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Options, Rejected
from proxyswitch.system.run import Command, Result, run

PLACES = "/usr/sbin:/sbin"  # not in everybody's PATH


def check(made: Made, options: Options) -> str:  # noqa: ARG001  # a check's signature
    tool = shutil.which("logrotate") or shutil.which("logrotate", path=PLACES)
    if not tool:
        return f"{made.path}: logrotate did not test it: it is not installed here"
    with scratch.folder() as folder:
        place = scratch.put(folder, made)
        _judge(made, place, _test(tool, place))
        _judge(made, place, _test(tool, place, *_others(made)))
    return ""


def _test(tool: str, place: str, *others: str) -> Result:
    """What it says of a log that two files name tells only the later one: ours."""
    state = os.path.join(os.path.dirname(place), "state")
    return run(Command((tool, "-d", "-s", state, *others, place), timeout=60))


def _others(made: Made) -> list[str]:
    """The files beside it that are read too."""
    found = sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(made.path)), "*")))
    return [path for path in found if path != made.path and os.path.isfile(path)]


def _judge(made: Made, place: str, result: Result) -> None:
    ours = re.compile(rf"(?:{re.escape(place)}|(?<=^error: ){re.escape(os.path.basename(place))})(?=:)")
    said = [line for line in result.err.splitlines() if line.startswith("error: ") and ours.search(line)]
    if not said:
        return
    faults = "; ".join(ours.sub(made.path, line).removeprefix("error: ") for line in said)
    step = "another file there rotates that log already: leave it out here" if "duplicate" in faults else ""
    raise Rejected(f"logrotate refuses it: {faults}", next_step=step)
