"""nginx-upstream: a pool of nginx alone, for a site that exists; in instant mode with what the site includes."""

from __future__ import annotations

from proxyswitch.generate import common, nginx_pool
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.nginx_pool import INSTANT, RELOAD
from proxyswitch.generate.value import Values
from proxyswitch.generate.versions import Versions


def more(values: Values, versions: Versions) -> Values:
    return nginx_pool.more(values, versions.nginx)


def _instant(values: Values) -> bool:
    return bool(values["mode"] == INSTANT)


def _after(values: Values) -> str:
    if values["mode"] != "instant":
        return "name it in a location: proxy_pass http://{pool};"
    return "include {name}-server.conf in the server block, and {name}-location.conf in its locations, instead of proxy_pass"


KIND = Kind(
    name="nginx-upstream",
    title="The pool of an app for nginx, alone.",
    values=(
        common.NAME,
        common.BLUE,
        common.GREEN,
        common.POOL,
        nginx_pool.mode(RELOAD),
        nginx_pool.KEEPALIVE,
        nginx_pool.FLAGS,
        nginx_pool.STICKY,
        nginx_pool.SHARED,
        nginx_pool.RESOLVER,
    ),
    parts=(
        Part("nginx-upstream.conf.j2", "/etc/nginx/conf.d/{name}-upstream.conf", check="nginx-http"),
        Part("nginx-upstream-server.conf.j2", "/etc/nginx/snippets/{name}-server.conf", check="nginx-server", when=_instant),
        Part(
            "nginx-upstream-location.conf.j2",
            "/etc/nginx/snippets/{name}-location.conf",
            check="nginx-location",
            when=_instant,
        ),
    ),
    needs=("nginx",),
    of_app=nginx_pool.of_app,
    more=more,
    variables=nginx_pool.VARIABLES,
    after=_after,
)
