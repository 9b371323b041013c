"""The log of tries that a canary is judged by, beside the access logs that the person has."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.conf.nginx.adopt_form import Form
from proxyswitch.conf.nginx.adopt_tree import Draft, Node, Refused, effective
from proxyswitch.model import Problem


def lines(draft: Draft, location: Node, form: Form, default: str) -> list[str]:
    """The lines that a location needs: a log there hides the inherited ones, so those are repeated.

    Raises Refused where it is not known what nginx writes without any.
    """
    if not form.log:
        return []
    there = effective(location, "access_log")
    own = bool(there) and there[0].parent is location
    off = [node for node in there if node.args == ("off",)]
    if own and off:
        draft.replace(off[0], form.log_line.encode())
        return []
    if own or off:
        return [form.log_line]
    if not there and not default:
        raise Refused(f"{location.where}: no access_log is in effect, and nginx's own default is not known")
    repeated = [node.raw.decode("utf-8", "surrogateescape") for node in there] or [f"access_log {default};"]
    return [*repeated, form.log_line]


def warnings(location: Node, form: Form) -> Iterator[Problem]:
    """Locations inside this one write into the log as well, where they have none of their own."""
    for node in location.all():
        if form.log and node.name == "location" and node is not location and not node.children("access_log"):
            yield Problem(f"{node.where}: requests of this location are written into {form.log} too")
