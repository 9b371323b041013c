"""What a person should know about a gunicorn before the next release."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.drivers.gunicorn.daemon import Host
from proxyswitch.drivers.gunicorn.words import Words
from proxyswitch.model import Problem
from proxyswitch.settings import App


def problems(name: str, app: App, words: Words, host: Host) -> Iterator[Problem]:
    """What would stop a release, or let it look good when it is not."""
    yield from (Problem(fault.what, fault.next_step) for fault in host.faults())
    if words.fixed_interpreter:
        what = f"{words.settings.command[0]} names the interpreter of one release, which a master keeps for life"
        python = f"{words.settings.current}/venv/bin/python"
        yield Problem(what, f'begin the command with the interpreter, as "{python}": the link is followed then')
    if "{version}" not in repr(app.health):
        what = "the health check does not ask for the version: that the new one serves is then not proven"
        yield Problem(what, f"put {{version}} into apps.{name}.health")
