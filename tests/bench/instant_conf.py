"""The configs of this comparison: one site, with `proxy_pass` as people write it and in instant mode, and its flags."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.2"  # an address of the apps' own: no outgoing connection takes one of their ports
POOL = "app_backend"
BUCKETS = 100
KEEPALIVE = "    keepalive 64;\n"
HEADERS = """\
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_header;
            proxy_read_timeout 60s;
"""
TLS = "ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
LOG_FORMAT = (
    'log_format proxyswitch escape=json \'{"time":$msec,"status":$status,"seconds":$request_time,'
    '"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","upstream_seconds":"$upstream_response_time"}\';'
)


class Form(NamedTuple):
    """How a server block passes to the pool."""

    name: str
    flag: bool = False
    gate: bool = False
    log: bool = False


PLAIN = Form("plain proxy_pass")
INSTANT = Form("instant", flag=True, gate=True)


def config(folder: Path, pools: str, servers: str, workers: str = "worker_processes 2;") -> str:
    """A whole main config; everything that nginx writes is below the folder."""
    user = "" if os.geteuid() else "user root;\n"
    temp = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""\
{user}{workers}
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    {temp}
    {LOG_FORMAT}
    map $http_upgrade $connection_header {{ default upgrade; "" ""; }}
{pools}
{servers}}}
"""


def plain_pool(port: int, keepalive: str = KEEPALIVE) -> str:
    """The pool as people write it."""
    return f"upstream {POOL} {{\n    server {HOST}:{port};\n{keepalive}}}\n"


def instant_pools(blue: int, green: int) -> str:
    """The buckets of clients, and a pool for each slot, with the other as backup."""
    return buckets() + slot("blue", blue, green) + slot("green", green, blue)


def buckets() -> str:
    lines = "".join(f"    1% {number};\n" for number in range(BUCKETS - 1))
    return f"split_clients $remote_addr $proxyswitch_bucket {{\n{lines}    * {BUCKETS - 1};\n}}\n"


def slot(name: str, own: int, other: int, keepalive: str = KEEPALIVE) -> str:
    servers = f"    server {HOST}:{own} max_fails=0;\n    server {HOST}:{other} backup max_fails=0;\n"
    timeout = "    keepalive_timeout 2s;\n" if keepalive else ""
    return f"upstream {POOL}_{name} {{\n{servers}{keepalive}{timeout}}}\n"


def server(folder: Path, port: int, form: Form, tls: int = 0) -> str:
    """A server block that passes everything to the pool in that form; `tls` is a second port, with HTTP/2."""
    listen = f"        listen 127.0.0.1:{port};\n"
    if tls:
        listen += f"        listen 127.0.0.1:{tls} ssl http2;\n        {TLS.format(folder=folder)}\n"
    location = "        location / {\n" + "".join(_passing(folder, form)) + HEADERS + "        }\n"
    return f"    server {{\n{listen}{''.join(_choosing(folder, form))}{location}{_gate(folder, form)}    }}\n"


def _choosing(folder: Path, form: Form) -> Iterator[str]:
    if form.flag:
        yield f"        set $app_backend_slot {POOL}_blue;\n"
        yield f"        if (-e {flags(folder)}/green/$proxyswitch_bucket) {{ set $app_backend_slot {POOL}_green; }}\n"
    if form.gate:
        yield "        set $app_backend_gate closed;\n"


def _gate(folder: Path, form: Form) -> str:
    """What serves the maintenance page while the gate is closed."""
    return GATE.replace("POOL", POOL).replace("FLAGS", str(flags(folder))) if form.gate else ""


def _passing(folder: Path, form: Form) -> Iterator[str]:
    if form.gate:
        yield f"            if (-e {flags(folder)}/gate/$app_backend_gate) {{ rewrite ^ /.proxyswitch/{POOL}$uri last; }}\n"
    yield f"            proxy_pass http://{'$app_backend_slot' if form.flag else POOL};\n"
    if form.log:
        yield f"            access_log {folder}/access.log proxyswitch buffer=32k flush=1s;\n"


GATE = """\
        location ^~ /.proxyswitch/POOL/ {
            internal;
            set $POOL_net1 none; set $POOL_net2 none; set $POOL_net3 none; set $POOL_net4 none;
            if ($remote_addr ~ "^(((\\d+)\\.\\d+)\\.\\d+)\\.\\d+$") {
                set $POOL_net1 8-$3; set $POOL_net2 16-$2; set $POOL_net3 24-$1;
            }
            if (-e FLAGS/gate/allow/$remote_addr) { set $POOL_gate open; }
            if (-e FLAGS/gate/allow/$POOL_net1) { set $POOL_gate open; }
            if (-e FLAGS/gate/allow/$POOL_net2) { set $POOL_gate open; }
            if (-e FLAGS/gate/allow/$POOL_net3) { set $POOL_gate open; }
            if (-e FLAGS/gate/allow/$POOL_net4) { set $POOL_gate open; }
            if ($POOL_gate = open) { rewrite "(?s)^/\\.proxyswitch/POOL(/.*)$" $1 last; }
            error_page 503 /.proxyswitch/POOL.html;
            return 503;
        }
        location = /.proxyswitch/POOL.html { internal; root FLAGS/gate; default_type text/html; }
"""


# --- the flags


def flags(folder: Path) -> Path:
    """The flag folder of the pool."""
    return folder / "flags" / POOL


def make_flags(folder: Path, share: int = 0) -> None:
    """All folders that the config looks at; the gate is open."""
    place = flags(folder)
    for name in ("pct-0", "pct-100", "open"):
        (place / name).mkdir(parents=True)
    for bucket in range(BUCKETS):
        (place / "pct-100" / str(bucket)).touch()
    (place / "gate").symlink_to("open")
    flip(place, share)


def flip(place: Path, share: int) -> None:
    """The share of the clients that go to green, in percent; one rename."""
    new = place / ".green"
    new.symlink_to(f"pct-{share}")
    new.rename(place / "green")
