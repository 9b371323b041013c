"""What values of a site of nginx do not go together, each with the option that is to be changed."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.generate.nginx_pool import INSTANT
from proxyswitch.generate.value import Values

OFF = "off"
CONNECTIONS = 1024
ERROR_LOG = "/var/log/nginx/error.log"
SHORTEST = 0.001  # seconds; nginx counts no less


def has_tls(values: Values) -> bool:
    return bool(values["tls"] != OFF)


def problems(values: Values) -> Iterator[str]:
    yield from _of_tls(values)
    yield from _of_ports(values)
    for key in ("connect_timeout", "read_timeout"):
        if values[key] < SHORTEST:
            yield f"--{key.replace('_', '-')}: nothing could be as fast as that"
    if set("%?") & set(values["health"]):
        yield f"--health: {values['health']!r}: a location of nginx has no % and no ?"
    if values["mode"] == INSTANT and values["maintenance_page"]:
        yield "--maintenance-page is for --mode reload; in instant mode the command maintenance brings the page"
    yield from _of_whole(values)


def _of_whole(values: Values) -> Iterator[str]:
    if values["whole"]:
        return
    usual = {"run_dir": "", "user": "", "workers": 0, "connections": CONNECTIONS, "error_log": ERROR_LOG}
    for key, value in usual.items():
        if values[key] != value:
            yield f"--{key.replace('_', '-')} is for --whole: a site alone cannot say it"


def _of_tls(values: Values) -> Iterator[str]:
    if has_tls(values):
        for key in ("certificate", "certificate_key"):
            if not values[key]:
                yield f"--{key.replace('_', '-')} is missing: TLS needs a certificate and its key"
        return
    for key in ("certificate", "certificate_key", "redirect", "http2", "hsts"):
        if values[key]:
            yield f"--{key.replace('_', '-')} is for a site with TLS: give --certificate and --certificate-key, no --tls off"


def _of_ports(values: Values) -> Iterator[str]:
    used = {"http_port": values["http_port"], **({"https_port": values["https_port"]} if has_tls(values) else {})}
    if len(set(used.values())) < len(used):
        yield f"--https-port: {values['https_port']} is the port of HTTP too"
    if values["status_port"] in used.values():
        yield f"--status-port: the site listens on {values['status_port']} already"
    if len(set(values["listen"])) < len(values["listen"]):
        yield "--listen: an address is given twice"
