"""systemd reads a unit that was made: `systemd-analyze verify`, under its own name, and `calendar` for a time."""

from __future__ import annotations

import os
import pwd
import re
import shutil

from proxyswitch.generate import scratch
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Options, Rejected
from proxyswitch.system import files
from proxyswitch.system.run import Command, Result, run

ABSENT = re.compile(r"Command (.+) is not executable: No such file or directory")
UNKNOWN = re.compile(r"Unknown (?:key|key name|lvalue) '(\w+)'")
SERVICE = b"[Service]\nType=oneshot\nExecStart=/bin/sh -c :\n"  # what a timer starts, while only the timer is tested


def system_unit(made: Made, options: Options) -> str:  # noqa: ARG001  # a check's signature
    return _test(made, "--system")


def user_unit(made: Made, options: Options) -> str:  # noqa: ARG001
    return _test(made, "--user")


def _test(made: Made, scope: str) -> str:
    tool = shutil.which("systemd-analyze")
    if not tool:
        return f"{made.path}: systemd did not test it: there is no systemd-analyze here"
    _judge_time(tool, made)
    said = _said(tool, made, scope)
    if faults := [line for line in said if not ABSENT.search(line) and not UNKNOWN.search(line)]:
        raise Rejected(f"systemd refuses {made.path}: {'; '.join(faults)}")
    return "; ".join(filter(None, (_lacking(made, said), _unknown(made, said))))


def _lacking(made: Made, said: list[str]) -> str:
    absent = [found[1] for line in said if (found := ABSENT.search(line))]
    lacking = [f"no {path}" for path in absent if path in made.text] + _nobody(made)
    return f"{made.path}: there is {' and '.join(lacking)} here yet" if lacking else ""


def _unknown(made: Made, said: list[str]) -> str:
    """An older systemd leaves out what it does not know, and the unit works without."""
    keys = [found[1] for line in said if (found := UNKNOWN.search(line))]
    return f"{made.path}: the systemd here does not know, and leaves out, {', '.join(keys)}" if keys else ""


def _nobody(made: Made) -> list[str]:
    """Its user, where there is none: systemd looks for it only at the start."""
    found = re.search(r"^User=(.*)$", made.text, re.M)
    try:
        if found:
            pwd.getpwnam(found[1])
    except KeyError:
        return [f"no user {found[1]}"] if found else []
    return []


def _said(tool: str, made: Made, scope: str) -> list[str]:
    """Its complaints about this very unit, not about those that it belongs with. A template is tested as an instance."""
    name = os.path.basename(made.path)
    ours = re.compile(re.escape(name).replace("@", r"@[^\s:/]*") + r":?")
    return [ours.sub("", line, count=1).strip() for line in _verify(tool, made, scope).err.splitlines() if ours.search(line)]


def _verify(tool: str, made: Made, scope: str) -> Result:
    name = os.path.basename(made.path)
    with scratch.folder() as folder:
        place = scratch.put(folder, made)
        if name.endswith(".timer"):
            files.write_new(os.path.join(folder, f"{name.removesuffix('.timer')}.service"), SERVICE, flush=False)
        result = run(Command((tool, "verify", scope, "--man=no", place), timeout=60))
        return Result(result.code, result.out, result.err.replace(f"{folder}/", ""), result.seconds, result.timed_out)


def _judge_time(tool: str, made: Made) -> None:
    for time in re.findall(r"^OnCalendar=(.*)$", made.text, re.M):
        result = run(Command((tool, "calendar", time.replace("%%", "%")), timeout=60))
        if not result.ok:
            said = result.err.strip() or result.out.strip() or result.reason()
            raise Rejected(f"systemd does not understand the time of {made.path}: {said}")
