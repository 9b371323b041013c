"""An nginx with a pool in instant mode, written by hand: what these tests see does not depend on `adopt`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from proxyswitch.proxies import nginx_flags
from tests.e2e.support import CONF, Bench

BUCKETS = " ".join(f"1% {n};" for n in range(99))
CONF_INSTANT = (
    CONF.replace(
        "    server {{\n",
        """\
    server {{
        set $app_backend_slot app_backend_blue;
        if (-e {flags}/green/$proxyswitch_bucket) {{ set $app_backend_slot app_backend_green; }}
        set $app_backend_gate closed;
        location ^~ /.proxyswitch/app_backend/ {{
            internal;
            set $app_backend_net none;
            if ($remote_addr ~ "^(\\d+)\\.") {{ set $app_backend_net 8-$1; }}
            if (-e {flags}/gate/allow/$remote_addr) {{ set $app_backend_gate open; }}
            if (-e {flags}/gate/allow/$app_backend_net) {{ set $app_backend_gate open; }}
            if ($app_backend_gate = open) {{ rewrite "(?s)^/\\.proxyswitch/app_backend(/.*)$" $1 last; }}
            error_page 503 /.proxyswitch/app_backend.html;
            return 503;
        }}
        location = /.proxyswitch/app_backend.html {{
            internal;
            root {flags}/gate;
            default_type text/html;
            set $app_backend_retry "";
            if ($realpath_root ~ "/retry-(\\d+)[^/]*$") {{ set $app_backend_retry $1; }}
            add_header Retry-After $app_backend_retry always;
        }}
""",
    )
    .replace(
        "            proxy_pass http://app_backend;\n",
        """\
            if (-e {flags}/gate/$app_backend_gate) {{ rewrite ^ /.proxyswitch/app_backend$uri last; }}
            proxy_pass http://$app_backend_slot;
""",
    )
    .replace(
        "    include pools.conf;\n",
        f"    split_clients {{key}} $proxyswitch_bucket {{{{ {BUCKETS} * 99; }}}}\n    include pools.conf;\n",
    )
)
POOLS_INSTANT = """\
upstream app_backend_blue {{
    server 127.0.0.1:{blue} max_fails=0;
    server 127.0.0.1:{green} max_fails=0 backup;
    keepalive 8;
    keepalive_timeout 1s;
}}
upstream app_backend_green {{
    server 127.0.0.1:{green} max_fails=0;
    server 127.0.0.1:{blue} max_fails=0 backup;
    keepalive 8;
    keepalive_timeout 1s;
}}
"""


@dataclass
class InstantBench(Bench):
    """Version 1 runs in slot blue, version 2 in slot green; blue serves."""

    blue: int = 0
    green: int = 0
    key: str = "$remote_addr"

    @property
    def flags(self) -> Path:
        return self.state / "flags" / "app_backend"

    @property
    def flag(self) -> str:
        return nginx_flags.link(str(self.flags), "green")

    def set_up(self, conf: str = CONF_INSTANT, pools: str = POOLS_INSTANT, share: int = 0) -> None:
        """Both instances, the flag, and nginx."""
        self.blue, self.green = self.instance("1"), self.instance("2")
        conf = conf.replace("{flags}", str(self.flags)).replace("{key}", self.key)
        self.write(self.blue, conf, pools.replace("{green}", str(self.green)))
        nginx_flags.make(str(self.flags), share)
        self.own()
        self.start()

    @property
    def addresses(self) -> tuple[str, str]:
        return f"127.0.0.1:{self.blue}", f"127.0.0.1:{self.green}"
