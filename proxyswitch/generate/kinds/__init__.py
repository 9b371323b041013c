"""All kinds: name to module. A module is loaded when its kind is asked for; it has `KIND`."""

from __future__ import annotations

from importlib import import_module

from proxyswitch.generate.kind import Kind

KINDS: dict[str, str] = {
    "compose": "compose",
    "github-actions": "github_actions",
    "gitlab-ci": "gitlab_ci",
    "haproxy": "haproxy",
    "haproxy-backend": "haproxy_backend",
    "health": "health",
    "logrotate": "logrotate",
    "nginx-site": "nginx_site",
    "nginx-upstream": "nginx_upstream",
    "pm2": "pm2",
    "pre-commit": "pre_commit",
    "swarm": "swarm",
    "systemd": "systemd",
    "systemd-timer": "systemd_timer",
}


def load(name: str) -> Kind:
    """The kind of that name; one of KINDS."""
    found: Kind = import_module(f"{__name__}.{KINDS[name]}").KIND
    return found
