"""haproxy: a complete config of HAProxy for one app."""

from __future__ import annotations

from proxyswitch.generate import haproxy_front, haproxy_pool
from proxyswitch.generate.kind import Kind, Part

KIND = Kind(
    name="haproxy",
    title="A complete config of HAProxy for an app.",
    values=haproxy_pool.VALUES + haproxy_front.VALUES,
    parts=(Part("haproxy.cfg.j2", "/etc/haproxy/haproxy.cfg", check="haproxy-main"),),
    needs=("haproxy",),
    of_app=haproxy_pool.of_app,
    more=haproxy_front.more,
    after="make the state file where there is none, as the config says; then start or reload HAProxy",
)
