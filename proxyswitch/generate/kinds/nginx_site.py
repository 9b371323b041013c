"""nginx-site: a site of nginx that passes to an app, ready to switch; or a whole nginx for it."""

from __future__ import annotations

from collections.abc import Mapping

from proxyswitch.generate import common, nginx_pool, tls, words
from proxyswitch.generate.kind import Kind, Part
from proxyswitch.generate.nginx_pool import INSTANT, RELOAD
from proxyswitch.generate.nginx_problems import CONNECTIONS, ERROR_LOG, OFF, has_tls, problems
from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions
from proxyswitch.settings_app import App
from proxyswitch.settings_base import Bytes, Seconds

QUIET_WEBSOCKET = Seconds(300)


def _profile(values: Values) -> str:
    return tls.PROFILES[0] if values["certificate"] else OFF


def _access_log(values: Values) -> str:
    return f"{values['run_dir'] or '/var/log/nginx'}/{values['name']}.access.log"


def _error_log(values: Values) -> str:
    return f"{values['run_dir']}/error.log" if values["run_dir"] else ERROR_LOG


def _page(values: Values) -> str:
    return f"{values['run_dir'] or '/var/www'}/{values['name']}-maintenance.html" if values["mode"] == RELOAD else ""


def _is_machines(values: Values) -> bool:
    """True for the one nginx of a machine or container."""
    return bool(values["whole"] and not values["run_dir"])


def _none(values: Values) -> int:  # noqa: ARG001  # as a default that the help need not tell
    return 0


def _read_timeout(values: Values) -> Seconds:
    return QUIET_WEBSOCKET if values["websocket"] else Seconds(60)


VALUES = (
    common.NAME,
    Value("domain", words.domain, "The domain of the site.", many=True, metavar="DOMAIN"),
    common.BLUE,
    common.GREEN,
    common.POOL,
    nginx_pool.mode(INSTANT),
    # TLS
    Value("certificate", words.path, "The certificate with its chain; it brings TLS.", "", metavar="FILE"),
    Value("certificate_key", words.path, "Its key.", "", metavar="FILE"),
    Value(
        "tls",
        words.one_of(*tls.PROFILES, OFF),
        "Mozilla's recommendation to go by. [default: intermediate with a certificate, else off]",
        _profile,
        metavar="intermediate|modern|off",
    ),
    Value("redirect", words.yes, "Send plain HTTP to HTTPS. [default: with TLS]", has_tls),
    Value("http2", words.yes, "Speak HTTP/2. [default: with TLS]", has_tls),
    Value(
        "hsts",
        words.number(0, 999999999),
        "Seconds for which browsers come by HTTPS only. [default: not asked]",
        _none,
        metavar="SECONDS",
    ),
    # where it listens
    Value("listen", words.ip, "Listen on this address. [default: all, of IPv4 and IPv6]", (), many=True, metavar="ADDRESS"),
    Value("http_port", words.port, "The port of HTTP.", 80, metavar="PORT"),
    Value("https_port", words.port, "The port of HTTPS.", 443, metavar="PORT"),
    Value(
        "status_port",
        words.port,
        "Tell nginx's own state on this port of loopback. [default: nowhere]",
        _none,
        metavar="PORT",
    ),
    # what goes through
    common.HEALTH,
    Value("websocket", words.yes, "Let websockets through.", True),
    Value("max_body", words.size, "The largest upload, as 10M; 0 for any.", Bytes(10 * 1024**2), metavar="SIZE"),
    Value("connect_timeout", words.time, "How long to wait for a connection to the app.", Seconds(5), metavar="TIME"),
    Value(
        "read_timeout",
        words.time,
        "How long the app, or a websocket, may be silent. [default: 5m with websockets, else 60s]",
        _read_timeout,
        metavar="TIME",
    ),
    nginx_pool.KEEPALIVE,
    # who the client is
    Value(
        "trust", words.network, "A proxy before this one, whose word on the client counts.", (), many=True, metavar="NETWORK"
    ),
    Value(
        "real_ip_header",
        words.header,
        "The header in which it tells the client's address.",
        "X-Forwarded-For",
        metavar="NAME",
    ),
    # a whole nginx
    Value("whole", words.yes, "A whole nginx.conf, as for a container or an nginx of your own.", False),
    Value("run_dir", words.plain_path, "With --whole: pid, logs, temporary files and flags go there.", "", metavar="DIR"),
    Value("user", words.user, "With --whole: as whom the workers run. [default: as nginx was built]", "", metavar="USER"),
    Value("workers", words.number(1, 512), "With --whole: how many workers. [default: one a processor]", _none, metavar="N"),
    Value("connections", words.number(16, 1000000), "With --whole: connections of each worker.", CONNECTIONS, metavar="N"),
    Value(
        "error_log",
        words.path,
        "With --whole: nginx's own log. [default: /var/log/nginx/error.log]",
        _error_log,
        metavar="FILE",
    ),
    # logs and folders
    Value(
        "access_log",
        words.log,
        "JSON, one line a request, or off. [default: /var/log/nginx/NAME.access.log]",
        _access_log,
        metavar="FILE",
    ),
    nginx_pool.FLAGS,
    nginx_pool.STICKY,
    nginx_pool.TRIES,
    nginx_pool.SHARED,
    nginx_pool.RESOLVER,
    Value(
        "maintenance_page",
        words.plain_path,
        "With --mode reload: the site is closed while this page is there. [default: /var/www/NAME-maintenance.html]",
        _page,
        metavar="FILE",
    ),
)


def of_app(name: str, app: App) -> Mapping[str, str | list[str]]:
    return {**nginx_pool.of_app(name, app), **common.health_of(app)}


def more(values: Values, versions: Versions) -> Values:
    """Raises ValueError for values that do not go together."""
    for problem in problems(values):
        raise ValueError(problem)
    from proxyswitch.conf.nginx import adopt_form

    run_dir = values["run_dir"]
    return {
        **nginx_pool.more(values, versions.nginx),
        "target": "green" if values["mode"] == INSTANT else str(values["green"]),
        "variable": adopt_form.variable_of(values["name"]),
        "profile": tls.profile(values["tls"], versions.nginx.openssl) if has_tls(values) else None,
        "listen": [_place(address, values) for address in values["listen"] or ("", "::")],
        "usual_ports": values["http_port"] == 80 and values["https_port"] == 443,
        "pid": f"{run_dir}/nginx.pid" if run_dir else "/run/nginx.pid",
    }


def _place(address: str, values: Values) -> Mapping[str, str]:
    """What a `listen` says for each scheme; without an address it is all of IPv4."""
    host = f"[{address}]:" if ":" in address else f"{address}:" if address else ""
    return {scheme: f"{host}{values[f'{scheme}_port']}" for scheme in ("http", "https")}


def _after(values: Values) -> str:
    flag = "; then proxyswitch switch {pool} blue, which makes the flag folder"
    return f"nginx -t && nginx -s reload, or start it{flag if values['mode'] == 'instant' else ''}"


KIND = Kind(
    name="nginx-site",
    title="A site of nginx that passes to an app, ready to switch.",
    values=VALUES,
    parts=(
        Part(
            "nginx-site.conf.j2",
            "/etc/nginx/conf.d/{name}.conf",
            check="nginx-http",
            when=lambda values: not values["whole"],
        ),
        Part("nginx-whole.conf.j2", "/etc/nginx/nginx.conf", check="nginx-main", when=_is_machines),
        Part("nginx-whole.conf.j2", "{run_dir}/nginx.conf", check="nginx-main", when=lambda values: bool(values["run_dir"])),
    ),
    needs=("nginx",),
    of_app=of_app,
    more=more,
    after=_after,
    variables={
        **nginx_pool.VARIABLES,
        "listen": "the places to listen on, each with `http` and `https`",
        "variable": "the name as the beginning of nginx's variables",
        "profile": "what Mozilla recommends for TLS",
        "pid": "nginx's pid file",
        "target": "what the first switch names",
        "usual_ports": "true where no URL names a port",
    },
)
