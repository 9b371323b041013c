"""Who tests what was made, before it is written: the real server or tool, where it is installed.

A check gets the text and the place that it is for. It raises Rejected with what the tool said, or returns what was not
tested and why, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from proxyswitch.generate import (
    check_code,
    check_compose,
    check_haproxy,
    check_logrotate,
    check_nginx,
    check_systemd,
)
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Options

Check = Callable[[Made, Options], str]

CHECKS: dict[str, Check] = {
    "code-go": check_code.go,
    "code-hooks": check_code.hooks,
    "code-node": check_code.node,
    "code-python": check_code.python,
    "code-workflow": check_code.workflow,
    "compose": check_compose.compose,
    "haproxy-main": check_haproxy.main,
    "haproxy-part": check_haproxy.part,
    "logrotate": check_logrotate.check,
    "nginx-alone": check_nginx.alone,
    "nginx-http": check_nginx.http,
    "nginx-location": check_nginx.location,
    "nginx-main": check_nginx.main,
    "nginx-server": check_nginx.server,
    "swarm": check_compose.swarm,
    "systemd-unit": check_systemd.system_unit,
    "systemd-user-unit": check_systemd.user_unit,
}


def check(made: Made, options: dict[str, Options]) -> str:
    """Test one file. Returns why it could not be; raises Rejected."""
    if not made.part.check:
        return ""
    proxy = made.part.check.partition("-")[0]
    return CHECKS[made.part.check](made, options.get(proxy, Options()))
