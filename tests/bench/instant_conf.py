"""The site of this comparison, with `proxy_pass` as people write it; `proxyswitch adopt` makes the instant one of it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.support import Bench

HOST = "127.0.0.2"  # an address of the apps' own: no outgoing connection takes one of their ports
POOL = "app_backend"
KEEPALIVE = "    keepalive 64;\n"
WORKERS = "worker_processes 2;"
TLS = "ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
PASS = f"""\
        location / {{
            proxy_pass http://{POOL};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_header;
            proxy_read_timeout 60s;
        }}
"""


def config(folder: Path, pools: str, servers: str, workers: str = WORKERS) -> str:
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
    map $http_upgrade $connection_header {{ default upgrade; "" ""; }}
{pools}
{servers}}}
"""


def pool(address: str, keepalive: str = KEEPALIVE) -> str:
    """The pool with one server."""
    return f"upstream {POOL} {{\n    server {address};\n{keepalive}}}\n"


def site(folder: Path, port: int, tls: int = 0) -> str:
    """A server block that passes everything to the pool; `tls` is a second port, with HTTP/2."""
    listen = f"        listen 127.0.0.1:{port};\n"
    if tls:
        listen += f"        listen 127.0.0.1:{tls} ssl http2;\n        {TLS.format(folder=folder)}\n"
    return f"    server {{\n{listen}{PASS}    }}\n"


def adopt(place: Bench, blue: str, green: str, *options: str) -> None:
    """Bring the pool of a running nginx into instant mode. Raises AssertionError with what the command says."""
    flags = str(place.folder / "flags")
    done = place.run("adopt", POOL, "--blue", blue, "--green", green, "--flags", flags, "--yes", *options)
    assert done.code == 0, done.out + done.err
