"""HAProxy's tables of servers, `show stat` and `show servers state`, as values. ValueError for one that is not whole.

They are read by their header line, since each version adds columns (HAProxy management guide, sections 9.1 and 9.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.model import ServerState

NAME = re.compile(r"[A-Za-z0-9_.:-]+")  # what HAProxy allows in the names of backends and servers
# bits of the administrative state (`show servers state` in the management guide)
FORCED_MAINT, INHERITED_MAINT, CONFIG_MAINT, FORCED_DRAIN, INHERITED_DRAIN, NO_ADDRESS = 1, 2, 4, 8, 16, 32
OUT = FORCED_MAINT | INHERITED_MAINT | NO_ADDRESS
DRAINING = FORCED_DRAIN | INHERITED_DRAIN


class Stat(NamedTuple):
    """A server's line of `show stat`. `weight` is the present one; `active` and `backup` say what kind of server it is.

    `scur` counts sessions that it works on, `qcur` those that wait for it; `lastchg` is in seconds, and so is
    `last`, the time since a session came to it: -1 for none. `answers` counts those of HTTP with any status, `server_errors`
    those with 5xx, `connect_errors` and `answer_errors` the tries that got none; `answer_ms` is the mean time to an answer
    over the last 1,024.
    """

    backend: str
    server: str
    status: str
    weight: int
    scur: int
    qcur: int
    stot: int
    check_status: str
    last_check: str
    lastchg: int
    active: bool
    backup: bool
    mode: str
    address: str
    last: int = -1
    answers: int = 0
    server_errors: int = 0
    connect_errors: int = 0
    answer_errors: int = 0
    answer_ms: int = 0


class ServerRow(NamedTuple):
    """A server's line of `show servers state`. `admin_state` and the check states are bit masks.

    `op_state`: 0 stopped, 1 starting, 2 running, 3 stopping. `weight` is the present one, `initial_weight` the config's.
    `address`, `fqdn` are empty where there is none; `since` is in seconds.
    """

    backend: str
    server: str
    backend_id: int
    server_id: int
    address: str
    port: int
    op_state: int
    admin_state: int
    weight: int
    initial_weight: int
    since: int
    check_state: int
    agent_state: int
    fqdn: str

    @property
    def state(self) -> ServerState:
        """What it was told, or inherited; a weight of 0 or a failed check is not in it."""
        if self.admin_state & OUT:
            return ServerState.MAINT
        return ServerState.DRAIN if self.admin_state & DRAINING else ServerState.READY


def whole(text: str) -> str:
    """The reply without the empty line that ends it."""
    if not text.endswith("\n\n") and text != "\n":
        raise ValueError("the answer is cut off: it does not end with an empty line")
    return text[:-1]


def number(text: str) -> int:
    """A number as HAProxy prints it; an empty column is 0."""
    if not re.fullmatch(r"-?\d+|", text, re.ASCII):
        raise ValueError(f"{text[:20]!r} is no number")
    return int(text or 0)


def stats(text: str) -> list[Stat]:
    """The servers of `show stat`, in their order."""
    import csv
    from io import StringIO

    body = whole(text)
    if not body.startswith("# pxname,svname,"):
        raise ValueError("the header line of `show stat` is missing")
    try:
        header, *rows = csv.reader(StringIO(body[2:], newline=""), strict=True)
    except csv.Error as error:
        raise ValueError(f"this is no CSV: {error}") from None
    column = _columns(header, "pxname svname qcur scur stot status weight act bck lastchg type")
    return [_stat(row, column) for row in _full(rows, len(header)) if row[column["type"]] == "2"]


def _stat(row: list[str], column: dict[str, int]) -> Stat:
    def text(name: str) -> str:
        return row[column[name]] if name in column else ""

    def count(name: str) -> int:
        return number(text(name))

    return Stat(
        _name(text("pxname")),
        _name(text("svname")),
        _given(text("status")),
        count("weight"),
        number(_given(text("scur"))),
        count("qcur"),
        count("stot"),
        text("check_status"),
        text("last_chk"),
        count("lastchg"),
        count("act") > 0,
        count("bck") > 0,
        text("mode"),
        text("addr"),
        number(text("lastsess") or "-1"),
        sum(count(f"hrsp_{kind}") for kind in ("1xx", "2xx", "3xx", "4xx", "5xx", "other")),
        count("hrsp_5xx"),
        count("econ"),
        count("eresp"),
        count("rtime"),
    )


def servers(text: str) -> list[ServerRow]:
    """`show servers state`, in HAProxy's order. Version 1 of that table is the only one there is."""
    lines = whole(text).split("\n")[:-1]
    if text.endswith("Can't find backend.\n\n"):
        raise ValueError("there is no such backend")
    if not text.startswith("1\n# be_id ") or len(lines) < 2:
        raise ValueError("the first lines of `show servers state` are missing")
    header = lines[1][2:].split()
    column = _columns(
        header,
        "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight"
        " srv_time_since_last_change srv_check_state srv_agent_state srv_fqdn srv_port",
    )
    return [_server(row, column) for row in _full([line.split() for line in lines[2:]], len(header))]


def _server(row: list[str], column: dict[str, int]) -> ServerRow:
    def text(name: str) -> str:
        return row[column[f"srv_{name}"]].removeprefix("-")

    def count(name: str) -> int:
        return number(row[column[name]])

    return ServerRow(
        _name(row[column["be_name"]]),
        _name(row[column["srv_name"]]),
        count("be_id"),
        count("srv_id"),
        text("addr"),
        count("srv_port"),
        count("srv_op_state"),
        count("srv_admin_state"),
        count("srv_uweight"),
        count("srv_iweight"),
        count("srv_time_since_last_change"),
        count("srv_check_state"),
        count("srv_agent_state"),
        text("fqdn"),
    )


def _columns(header: list[str], wanted: str) -> dict[str, int]:
    column = {name: index for index, name in enumerate(header) if name not in ("", "-")}
    missing = [name for name in wanted.split() if name not in column]
    if missing:
        raise ValueError(f"the header line lacks {', '.join(missing)}")
    return column


def _full(rows: list[list[str]], width: int) -> Iterator[list[str]]:
    """The rows, each as wide as the header."""
    for row in rows:
        if len(row) != width:
            raise ValueError(f"a line has {len(row)} columns, and the header {width}")
        yield row


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no name of a backend or server")
    return text


def _given(text: str) -> str:
    if not text:
        raise ValueError("a column is empty")
    return text
