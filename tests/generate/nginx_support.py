"""What stands around a generated file of nginx where it is used: the person's nginx.conf, and a site for a pool alone."""

from __future__ import annotations

import re
from pathlib import Path

from tests.generate.cases.nginx import CASES
from tests.generate.support import files

AROUND = """\
worker_shutdown_timeout 1h;
events {}
http {
    server_tokens off;
    include conf.d/*.conf;
}
"""
SITE = """\
server {
    listen 127.0.0.1:8080;
    server_name shop.example.com;
    server_tokens off;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header Connection "";
%s
}
"""
PLAIN = SITE % "    location / {\n        proxy_pass http://shop_backend;\n    }"
INSTANT = SITE % (
    "    include snippets/shop-server.conf;\n    location / {\n        include snippets/shop-location.conf;\n    }"
)


def words(name: str, nginx: str = "", openssl: str = "") -> str:
    """The words of a case, for those versions; without them for what is installed here."""
    bare = re.sub(r" --(nginx|openssl)-version \S+", "", CASES[name])
    return bare + (f" --nginx-version {nginx}" if nginx else "") + (f" --openssl-version {openssl}" if openssl else "")


def tree(made: dict[str, str]) -> dict[str, str]:
    """All files of /etc/nginx that use these, by their path below it."""
    if "nginx.conf" in made:
        return made
    places = {name: f"{'conf.d' if _in_http(name) else 'snippets'}/{name}" for name in made}
    site = {} if "shop.conf" in made else {"conf.d/site.conf": INSTANT if len(made) > 1 else PLAIN}
    return {"nginx.conf": AROUND, **site, **{places[name]: text for name, text in made.items()}}


def _in_http(name: str) -> bool:
    return name in ("shop.conf", "shop-upstream.conf")


def of_case(name: str, nginx: str = "", openssl: str = "") -> dict[str, str]:
    return tree(files(words(name, nginx, openssl)))


def write(folder: Path, texts: dict[str, str]) -> Path:
    """Put them into a folder; the main config."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "nginx.conf"
