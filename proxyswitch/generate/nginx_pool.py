"""The pool of an app for nginx, plain or in instant mode: the values that say which, and the lines that both kinds share.

The lines of instant mode are those that `adopt` writes: what finds, switches and checks such a pool knows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from proxyswitch.generate import common, words
from proxyswitch.generate.quoting import Lines, nginx
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Nginx
from proxyswitch.model import Endpoint
from proxyswitch.settings_app import App

if TYPE_CHECKING:  # it costs time at the start
    from proxyswitch.conf.nginx.adopt_form import Form

INSTANT, RELOAD = "instant", "reload"
STATE = "/var/lib/proxyswitch"


def _flags(values: Values) -> str:
    return f"{values.get('run_dir') or STATE}/flags/{values['pool']}" if values["mode"] == INSTANT else ""


def mode(default: str) -> Value:
    told = "instant: a switch is a flag on disk, no request fails; reload: one upstream, edited at a switch."
    return Value("mode", words.one_of(INSTANT, RELOAD), told, default, metavar="instant|reload")


KEEPALIVE = Value(
    "keepalive", words.number(1, 10000), "Idle connections to the app that each worker keeps.", 16, metavar="N"
)
FLAGS = Value("flags", words.plain_path, f"The flag folder. [default: {STATE}/flags/POOL]", _flags, metavar="DIR")
STICKY = Value(
    "sticky",
    words.sticky,
    "What a canary knows clients by, as cookie:NAME or header:NAME; their address otherwise.",
    "",
    metavar="KEY",
)
TRIES = Value("tries", words.plain_path, "Log each try at a slot there: what a canary is judged by.", "", metavar="FILE")
SHARED = Value(
    "shared", words.yes, "Bring what all pools in instant mode share; one file of a config must, none needs to twice.", True
)
RESOLVER = Value(
    "resolver",
    words.ip,
    "A DNS server that is asked for the names of slots again and again; from nginx 1.27.3 on.",
    (),
    many=True,
    metavar="ADDRESS",
)

VARIABLES = {
    "named": "`blue` and `green`: true for an address that nginx must look up",
    "slots": "the two pools of instant mode, each with `name`, `servers` and `timeout`",
    "shared_lines": "what pools in instant mode share",
    "top_lines": "the begin of a server block, in instant mode",
    "gate_line": "what closes a location in maintenance, in instant mode",
    "gate_lines": "the end of a server block, in instant mode",
    "pass_line": "the pass to the pool",
    "resolver_line": "who is asked for names, in reload mode",
    "tries_line": "the log of tries, in instant mode",
}


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    """What the settings know of the pool."""
    _, pool = app.targets[0] if app.targets else ("", "")
    return {"name": name, "pool": pool, **common.slots_of(app)}


def more(values: Values, version: Nginx) -> Values:
    """The variables of the pool. Raises ValueError for values that do not go together."""
    if values["blue"] == values["green"]:
        raise ValueError("--green: it is the address of --blue: two versions cannot listen at one")
    if values["mode"] == RELOAD:
        for key in ("flags", "sticky", "tries"):
            if values.get(key):
                raise ValueError(f"--{key} is for --mode instant")
    named = {slot: _is_name(values[slot]) for slot in ("blue", "green")}
    for wrong in _of_resolver(values, version, any(named.values())):
        raise ValueError(wrong)
    return {"named": named, **_lines(values)}


def _of_resolver(values: Values, version: Nginx, named: bool) -> Iterator[str]:
    if not values["resolver"]:
        return
    if values["mode"] == INSTANT:
        yield "--resolver is for --mode reload: a slot of instant mode has an address"
    if not named:
        yield "--resolver: there is no name to look up: both slots have addresses"
    if not version.upstream_resolve:
        yield f"--resolver needs nginx 1.27.3, and this is for {'.'.join(map(str, version.version))}"


def _is_name(address: Endpoint) -> bool:
    """Whether nginx must look it up."""
    numeric = ":" in address.host or address.host.replace(".", "").isdecimal()
    return bool(address.host) and address.host != "localhost" and not numeric


def _lines(values: Values) -> Values:
    if values["mode"] == RELOAD:
        asked = " ".join(f"[{one}]" if ":" in one else one for one in values["resolver"])
        return {
            "pass_line": Lines([f"proxy_pass http://{nginx(values['pool'])};"]),
            "resolver_line": Lines([f"resolver {asked};"]),
        }
    from proxyswitch.conf.nginx import adopt_form

    form = adopt_form.form(values["pool"], values["flags"], values["sticky"], values.get("tries", ""))
    return {
        "shared_lines": Lines(_shared(form, every=values["shared"])),
        "slots": [_slot(values, "blue", "green"), _slot(values, "green", "blue")],
        "top_lines": Lines(adopt_form.server_top(form)),
        "gate_line": Lines([form.gate_test]),
        "pass_line": Lines([f"proxy_pass http://{adopt_form.pass_word(form)};"]),
        "resolver_line": Lines([]),
        "tries_line": Lines([form.log_line] if form.log else []),
        "gate_lines": Lines(adopt_form.gate(form, _hsts(values))[1:]),
    }


def _shared(form: Form, *, every: bool) -> list[str]:
    """The buckets of clients, the first URI, and the format of the log of tries."""
    from proxyswitch.conf.nginx import adopt_form

    own = adopt_form.own_buckets(form) if form.key else []
    if not every:
        return own
    found = [*(own or adopt_form.BUCKET_LINES), *adopt_form.URI_LINES]
    return [*found, *(adopt_form.LOG_LINES if form.log else ())]


def _slot(values: Values, own: str, other: str) -> Values:
    from proxyswitch.conf.nginx import adopt_upstream

    servers = [(slot, adopt_upstream.server_line(nginx(values[slot]), own=slot == own)) for slot in (own, other)]
    return {
        "name": f"{values['pool']}_{own}",
        "servers": [{"line": Lines([line]), "named": _is_name(values[slot])} for slot, line in servers],
        "timeout": Lines([adopt_upstream.KEEPALIVE]),
    }


def _hsts(values: Values) -> list[str]:
    """A location with a header of its own hides those around it: the page of the gate repeats this one."""
    return [f'add_header Strict-Transport-Security "max-age={values["hsts"]}" always;'] if values.get("hsts") else []
