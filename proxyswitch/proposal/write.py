"""The proposal as the text of a proxyswitch.toml, explained line by line. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from proxyswitch.proposal import toml
from proxyswitch.proposal.proposed import CHECK, FILL, Key, Proposed, Table
from proxyswitch.proposal.seen import ProxySeen, Seen

WIDTH = 116
HEAD = """\
# proxyswitch.toml, proposed by `proxyswitch init` from what was seen on this machine. Each line says where it comes from.
# CHECK: a guess, which may be wrong. FILL IN: what could not be seen. All keys: `proxyswitch schema`, docs/settings.md.
# Then: `proxyswitch lint proxyswitch.toml`, `proxyswitch doctor`, `proxyswitch deploy APP --version V --dry-run`.
"""
NOTHING = "no pool of nginx or HAProxy could be read here, and this is a template"
END = """\
# Commands of your own around a release; a text is for the shell. For each app a table of its own.
# [apps.{name}.hooks]
# prepare = ["/srv/fetch", "{{version}}"]
# after_release = "echo released $APP_VERSION"

# Who is told of releases that fail. The address is often a secret: this names a variable of the environment.
# [[notify]]
# url = "${{NOTIFY_URL}}"
"""


def text(seen: Seen, apps: Iterable[Proposed]) -> str:
    """The whole file."""
    apps = list(apps)
    parts = [HEAD, *(_proxy(proxy) for proxy in seen.proxies if proxy.conf or proxy.socket), *map(app, apps)]
    if not apps:
        parts.append(app(_template()))
    first = next((one.name for one in apps if one.sure), "web")
    return "\n".join([*parts, END.format(name=toml.key(first))])


def app(one: Proposed) -> str:
    """An app; one that is in doubt is all comment, and a "# " less on each line makes it whole."""
    body = "\n".join("\n".join(_table(table)) + "\n" for table in one.tables)
    if one.sure:
        return body
    why = f'{one.name} is left out: {one.doubt}. To take it, fill in, and take a "# " away from each line below.'
    return "\n".join([*_comment(why, "##"), *(f"# {line}".rstrip() for line in body.removesuffix("\n").split("\n"))]) + "\n"


def _proxy(proxy: ProxySeen) -> str:
    keys = []
    if proxy.conf:
        keys.append(Key("conf", proxy.conf[0] if len(proxy.conf) == 1 else list(proxy.conf), proxy.why))
    if proxy.socket:
        keys.append(Key("socket", proxy.socket, "the runtime socket that was named to init"))
    return "\n".join(_table(Table((proxy.name,), tuple(keys)))) + "\n"


def _table(table: Table) -> Iterator[str]:
    yield from _comment(table.why) if table.why else ()
    mark = "# " if table.out else ""
    yield f"{mark}[{'.'.join(toml.key(name) for name in table.path)}]"
    for key in table.keys:
        yield from _comment(key.why)
        yield f"{mark or ('# ' if key.out else '')}{toml.key(key.name)} = {toml.value(key.value)}"


def _comment(words: str, mark: str = "#") -> Iterator[str]:
    for line in words.split("\n"):
        for part in textwrap.wrap(toml.comment(line), WIDTH, break_long_words=False, break_on_hyphens=False):
            yield f"{mark} {part}"


def _template() -> Proposed:
    """What an app looks like, where none was seen."""
    tables = (
        Table(
            ("apps", "web"),
            (
                Key("pool", "app_backend", FILL + "the upstream of nginx, or the backend of HAProxy"),
                Key("proxy", "nginx", "or haproxy"),
                Key("drain", "60s", "how long a release waits for the requests that the old version still has"),
            ),
            "an app, under the name that you will call it by",
        ),
        Table(
            ("apps", "web", "slots"),
            (
                Key("blue", "127.0.0.1:3001", FILL + "where the version listens that runs"),
                Key("green", "127.0.0.1:3002", CHECK + "any free port: the next version comes up there"),
            ),
        ),
        Table(
            ("apps", "web", "process"),
            (
                Key(
                    "command",
                    ["/srv/web/run"],
                    FILL + "what starts it; it finds PORT, HOST and APP_VERSION in its environment",
                ),
            ),
            "who runs it: process, or instead a table systemd, gunicorn, pm2, compose, swarm or command",
        ),
        Table(
            ("apps", "web", "health"), (Key("url", "http://{address}/health", FILL + "what answers 200 when all is well"),)
        ),
    )
    return Proposed("web", "app_backend", "nginx", "process", tables, NOTHING)
