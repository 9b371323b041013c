"""The lines of instant mode: what is written, word for word. A tab at the start of a line is one step of indentation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxyswitch.conf.nginx.adopt_tree import Refused

BUCKET, FIRST_URI = "proxyswitch_bucket", "proxyswitch_uri"
LOG_FORMAT = "proxyswitch"
_POOL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z", re.ASCII)
_FLAGS = re.compile(r"(/[A-Za-z0-9_.-]+)+\Z", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_]+\Z", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]+\Z", re.ASCII)
_LOG = re.compile(r"/[^\s;{}\"'\\$#]+\Z")
VARIABLES = ("slot", "gate", "raw", "start", "net1", "net2", "net3", "net4", "retry", "seen", "key", "bucket")


class Form(NamedTuple):
    """The names of one pool in instant mode.

    `key` is the variable that tells clients apart, empty for their address. With `raw`, clients who get past the gate keep
    their URI as they wrote it: nginx forgets that form once a rewrite has been.
    """

    pool: str
    variable: str
    flags: str
    key: str
    log: str
    raw: bool = True

    @property
    def bucket(self) -> str:
        return f"{self.variable}_bucket" if self.key else BUCKET

    @property
    def gate_test(self) -> str:
        """What a location does first."""
        return f"if (-e {self.flags}/gate/${self.variable}_gate) {{ rewrite ^ /.proxyswitch/{self.pool}$uri last; }}"

    @property
    def log_line(self) -> str:
        return f"access_log {self.log} {LOG_FORMAT} buffer=32k flush=1s;"


def variable_of(pool: str) -> str:
    """The pool's name as the beginning of variable names. `$1` would be a capture, so no digit comes first."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", pool, flags=re.ASCII)
    return f"_{name}" if name[:1].isdigit() else name


def form(pool: str, flags: str, sticky: str, log: str) -> Form:
    """The names for this wish. Raises Refused for what nginx would read as something else."""
    if not _POOL.match(pool):
        raise Refused(f"{pool!r}: a pool can be in instant mode if its name is made of letters, digits, '_', '.' and '-'")
    if not _FLAGS.match(flags) or {"..", "."} & set(flags.split("/")):
        raise Refused(
            f"{flags!r}: the flag folder stands in tests of nginx: an absolute path of letters, digits, '_', '.' and '-'",
            next_step="name another with --flags",
        )
    if log and not _LOG.match(log):
        raise Refused(f"{log!r}: the log needs an absolute path without spaces, quotes, or any of ;{{}}$#")
    return Form(pool, variable_of(pool), flags, _key(sticky), log)


def _key(sticky: str) -> str:
    """The variable of a key. Raises Refused for another form than `cookie:NAME`, `header:NAME`, `variable:NAME`."""
    kind, _, name = sticky.partition(":")
    if sticky.startswith("$"):
        kind, name = "variable", sticky[1:]
    if kind == "cookie" and _NAME.match(name):
        return f"cookie_{name}"
    if kind == "header" and _HEADER.match(name):
        return f"http_{name.lower().replace('-', '_')}"
    if kind == "variable" and _NAME.match(name) and not name[0].isdigit():
        return name
    if sticky:
        raise Refused(f"--sticky {sticky}: expected cookie:NAME, header:NAME or variable:NAME")
    return ""


def buckets(key: str, bucket: str) -> list[str]:
    """A hundred buckets of clients."""
    parts = [f"1% {n};" for n in range(99)] + ["* 99;"]
    rows = [f"\t{' '.join(parts[n : n + 10])}" for n in range(0, 100, 10)]
    return [f"split_clients ${key} ${bucket} {{", *rows, "}"]


EVERYBODY = ("satisfy any;", "allow all;")
BUCKET_LINES = (
    "# proxyswitch: the bucket of a client, 0 to 99: a share of the buckets is a share of the clients",
    *buckets("remote_addr", BUCKET),
)
URI_LINES = (
    "# proxyswitch: the URI as it was when the request came in",
    f"map $uri ${FIRST_URI} {{ default $uri; }}",
)
LOG_LINES = (
    "# proxyswitch: one line for each request, with all tries of it",
    f"log_format {LOG_FORMAT} escape=json",
    """\t'{"time":$msec,"status":$status,"seconds":$request_time,"upstream_addr":"$upstream_addr",'""",
    """\t'"upstream_status":"$upstream_status","upstream_seconds":"$upstream_response_time"}';""",
)


def own_buckets(form: Form) -> list[str]:
    """The same by a key of the person's choice; a client without it is told by its address."""
    key = f"{form.variable}_key"
    return [
        f"# proxyswitch: the bucket of a client of {form.pool}, 0 to 99, by ${form.key}",
        f'map ${form.key} ${key} {{ "" $remote_addr; default ${form.key}; }}',
        *buckets(key, form.bucket),
    ]


def server_top(form: Form) -> list[str]:
    """What the top of a server block says."""
    v, p = form.variable, form.pool
    return [
        f"# proxyswitch: {p} is served by one of its two slots, as the flag says",
        f"set ${v}_slot {p}_blue;",
        f"if (-e {form.flags}/green/${form.bucket}) {{ set ${v}_slot {p}_green; }}",
        f"set ${v}_gate closed;",
        *([f'set ${v}_raw "";', f"set ${v}_start ${FIRST_URI};"] if form.raw else []),
    ]


_TOP_SET = re.compile(r"\$\w+_(slot|gate|raw|start)\Z", re.ASCII)
_TOP_TEST = re.compile(r"/\S+/green/\$\w+_bucket\)\Z", re.ASCII)


def is_slot(variable: str) -> bool:
    """True for the variable of a pass to a pool in instant mode."""
    return variable.endswith("_slot")


def is_top(name: str, args: Sequence[str]) -> bool:
    """True for a line at the top of a server block that a pool in instant mode has brought."""
    if name == "set":
        return bool(args and _TOP_SET.match(args[0]))
    return name == "if" and args[:1] == ("(-e",) and bool(_TOP_TEST.match(args[-1]))


def pass_word(form: Form) -> str:
    """What a pass names: the slot that serves, and behind it, for `proxy_pass`, the client's own spelling of the URI."""
    return f"${form.variable}_slot{f'${form.variable}_raw' if form.raw else ''}"


def gate(form: Form, page: Sequence[str] = ()) -> list[str]:
    """The locations at the end of a server block; `page` is what the one with the page needs besides: where the server keeps
    some people out, it lets all see it."""
    return [
        "",
        f"# proxyswitch: requests for {form.pool} end here while it is closed; those that are allowed go back",
        f"location ^~ /.proxyswitch/{form.pool}/ {{",
        *(f"\t{line}" for line in _gate_tests(form)),
        f"\terror_page 503 /.proxyswitch/{form.pool}.html;",
        "\treturn 503;",
        "}",
        f"location = /.proxyswitch/{form.pool}.html {{",
        *(f"\t{line}" for line in _page(form, page)),
        "}",
        f"location = /.proxyswitch/{form.pool}.check {{",
        *(f"\t{line}" for line in _check(form)),
        "}",
    ]


def _gate_tests(form: Form) -> list[str]:
    """A network is told by the begin of an address: nginx looks for a file of that name."""
    v, folder = form.variable, f"{form.flags}/gate/allow"
    group = "[0-9a-f]+"
    ipv6 = rf"^({group})(?:(:{group})(?:(:{group})(:{group})?)?)?:"
    return [
        "internal;",
        *(f"set ${v}_net{n} none;" for n in range(1, 5)),
        r'if ($remote_addr ~ "^(((\d+)\.\d+)\.\d+)\.\d+$") { ' + _sets(v, "8-$3", "16-$2", "24-$1"),
        f'if ($remote_addr ~ "{ipv6}") {{ ' + _sets(v, "16-$1", "32-$1$2", "48-$1$2$3", "64-$1$2$3$4"),
        f"if (-e {folder}/$remote_addr) {{ set ${v}_gate open; }}",
        *(f"if (-e {folder}/${v}_net{n}) {{ set ${v}_gate open; }}" for n in range(1, 5)),
        *([f"if ($uri = /.proxyswitch/{form.pool}${v}_start) {{ set ${v}_raw $request_uri; }}"] if form.raw else []),
        rf'if (${v}_gate = open) {{ rewrite "(?s)^/\.proxyswitch/{form.pool.replace(".", chr(92) + ".")}(/.*)$" $1 last; }}',
    ]


def _sets(variable: str, *values: str) -> str:
    return " ".join(f"set ${variable}_net{n} {value};" for n, value in enumerate(values, 1)) + " }"


def _page(form: Form, more: Sequence[str]) -> list[str]:
    v = form.variable
    return [
        "internal;",
        *more,
        f"root {form.flags}/gate;",
        "default_type text/html;",
        f'set ${v}_retry "";',
        rf'if ($realpath_root ~ "/retry-(\d+)[^/]*$") {{ set ${v}_retry $1; }}',
        f"add_header Retry-After ${v}_retry always;",
    ]


def _check(form: Form) -> list[str]:
    """What nginx itself sees of the flag; this machine alone may ask."""
    v = form.variable
    return [
        "if ($remote_addr != $server_addr) { return 404; }",
        f'set ${v}_seen "no flag seen";',
        f'if (-e {form.flags}/green) {{ set ${v}_seen "flag seen"; }}',
        "default_type text/plain;",
        f'return 200 "${v}_slot, ${v}_seen";',
    ]
