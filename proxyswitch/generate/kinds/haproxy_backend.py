"""haproxy-backend: a pool of HAProxy alone, for a config that exists."""

from __future__ import annotations

from proxyswitch.generate import haproxy_pool
from proxyswitch.generate.kind import Kind, Part

KIND = Kind(
    name="haproxy-backend",
    title="The pool of an app for HAProxy, alone.",
    values=haproxy_pool.VALUES,
    parts=(Part("haproxy-backend.cfg.j2", "/etc/haproxy/conf.d/{name}.cfg", check="haproxy-part"),),
    needs=("haproxy",),
    of_app=haproxy_pool.of_app,
    more=haproxy_pool.more,
    after="name it in a frontend: default_backend {pool}; HAProxy reads the file where its folder is a further -f",
)
