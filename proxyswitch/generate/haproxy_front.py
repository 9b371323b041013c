"""What a complete config of HAProxy has before its backend: the process, TLS, the frontends, the page of statistics."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from proxyswitch.generate import haproxy_pool, tls, words
from proxyswitch.generate.haproxy_pool import some_time
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Haproxy, Versions
from proxyswitch.model import MAX_PORT, Endpoint
from proxyswitch.settings_base import Seconds

NONE = "none"
STDOUT = "stdout"


def bind(text: str) -> str:
    """An address to listen at: * is every IPv4 address, :: every one."""
    if text == "*":
        return text
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(f"{text!r} is no address to listen at, as 127.0.0.1, :: or *") from None


def path_or_none(text: str) -> str:
    """An absolute path; `none` is none."""
    return "" if text == NONE else words.path(text)


def log(text: str) -> str | Endpoint:
    """Where the log goes: stdout, the path of a socket as /dev/log, or the address of a syslog server."""
    return text if text == STDOUT else words.path(text) if text.startswith("/") else _udp(text)


def _udp(text: str) -> Endpoint:
    endpoint = words.address(text)
    if not isinstance(endpoint, Endpoint) or endpoint.path:
        raise ValueError(f"{text!r}: a log goes to stdout, to a path as /dev/log, or to an address as 127.0.0.1:514")
    return endpoint


def _unless_private(usual: object, private: object) -> Callable[[Values], object]:
    return lambda values: private if values["private"] else usual


VALUES: tuple[Value, ...] = (
    Value("private", words.yes, "For an HAProxy that an ordinary user starts.", False),
    Value("bind", bind, "Where to listen: an address, * for IPv4 and :: for all.", "*", metavar="IP"),
    Value("port", words.port, "The port for http. [default: 80, private 8080]", _unless_private(80, 8080), metavar="PORT"),
    Value("cert", words.path, "The file of the certificate; with it there is TLS.", "", metavar="PATH"),
    Value("key", words.path, "The file of its key, where that is another; from HAProxy 3.0 on.", "", metavar="PATH"),
    Value(
        "tls",
        words.one_of(*tls.PROFILES),
        "Mozilla's recommendation. [default: intermediate]",
        lambda values: tls.PROFILES[0] if values["cert"] else "",
        metavar="|".join(tls.PROFILES),
    ),
    Value(
        "tls_port",
        words.port,
        "The port for https. [default: 443, private 8443]",
        lambda values: _unless_private(443, 8443)(values) if values["cert"] else 0,
        metavar="PORT",
    ),
    Value("hsts", words.yes, "Tell browsers to use https only, for two years: there is no way back.", False),
    Value("trust", words.network, "A proxy in front, whose X-Forwarded-For is believed.", (), many=True, metavar="NETWORK"),
    Value("client_timeout", some_time, "How long a client may be silent.", Seconds(60), metavar="TIME"),
    Value(
        "socket",
        words.path,
        "The runtime socket. [default: /run/haproxy/admin.sock]",
        _unless_private("/run/haproxy/admin.sock", ""),
        metavar="PATH",
    ),
    Value(
        "state_file",
        path_or_none,
        "What servers come back from after a reload; none: only the config. [default: /var/lib/haproxy/servers.state]",
        _unless_private("/var/lib/haproxy/servers.state", ""),
        metavar="PATH",
    ),
    Value("user", words.user, "Who HAProxy becomes. [default: haproxy]", _unless_private("haproxy", ""), metavar="USER"),
    Value("group", words.user, "And its group. [default: haproxy]", _unless_private("haproxy", ""), metavar="GROUP"),
    Value("chroot", words.path, "An empty folder that it locks itself into.", "", metavar="DIR"),
    Value("maxconn", words.number(10, 1000000), "How many connections at once.", 2000, metavar="N"),
    Value("drain", some_time, "How long connections may last after a reload.", Seconds(1800), metavar="TIME"),
    Value("log", log, "Where the log goes: stdout, a path as /dev/log, or an address.", STDOUT, metavar="WHERE"),
    Value("log_format", words.one_of("text", "json"), "json: from HAProxy 3.0 on.", "text", metavar="text|json"),
    Value("stats_port", words.number(0, MAX_PORT), "The page of statistics, on 127.0.0.1; 0: none.", 8404, metavar="PORT"),
)


def more(values: Values, versions: Versions) -> Values:
    """What the template needs besides. Raises ValueError for values that do not go together."""
    found = haproxy_pool.more(values, versions)
    for wrong in (*_without_cert(values), *_private(values), *_too_new(values, versions.haproxy), *_places(values)):
        raise ValueError(wrong)
    return {
        **found,
        "http_bind": bind_line(values["bind"], values["port"]),
        "https_bind": bind_line(values["bind"], values["tls_port"]),
        "usual_ports": (values["port"], values["tls_port"]) == (80, 443),
        "profile": tls.profile(values["tls"], versions.haproxy.openssl) if values["cert"] else None,
        "certificate": "@site/site" if values["key"] else values["cert"],
        "log_to": str(values["log"]),
    }


def bind_line(address: str, port: int) -> str:
    """Address and port of a `bind`."""
    return f":{port}" if address == "*" else str(Endpoint(address, port))


def _without_cert(values: Values) -> Iterator[str]:
    named = [f"--{key.replace('_', '-')}" for key in ("key", "tls", "tls_port", "hsts") if values[key]]
    if named and not values["cert"]:
        yield f"{named[0]} needs --cert: without a certificate there is no TLS"


def _private(values: Values) -> Iterator[str]:
    if not values["socket"]:
        yield "--private needs --socket: a path in a folder of yours"
    for key in ("user", "group", "chroot"):
        if values["private"] and values[key]:
            yield f"--private and --{key} do not go together: only root can become somebody else"


def _too_new(values: Values, haproxy: Haproxy) -> Iterator[str]:
    here = ".".join(map(str, haproxy.version))
    if values["key"] and not haproxy.crt_store:
        yield f"--key needs HAProxy 3.0, and this is for {here}: put both into one file, and name that with --cert"
    if values["log_format"] == "json" and not haproxy.json_log:
        yield f"--log-format json needs HAProxy 3.0, and this is for {here}"


def _places(values: Values) -> Iterator[str]:
    """Ports that are taken twice, and what is out of reach behind a chroot."""
    ports: dict[int, str] = {}
    for key in ("port", "tls_port", "stats_port"):
        option = f"--{key.replace('_', '-')}"
        if values[key] and (before := ports.setdefault(values[key], option)) != option:
            yield f"{before} and {option} are both {values[key]}"
    if values["chroot"]:
        yield from (f"--{key} is a unix socket, which --chroot hides" for key in ("blue", "green") if values[key].path)
        if str(values["log"]).startswith("/"):
            yield f"--log {values['log']} is a unix socket, which --chroot hides"
