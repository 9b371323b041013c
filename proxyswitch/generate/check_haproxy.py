"""HAProxy tests what was made for it: a whole config as it is, a backend with a little around it that names it.

It can print an alert and exit with 0, so both count. Its messages name the file where the person will have it.
"""

from __future__ import annotations

import os

from proxyswitch.errors import UsageError
from proxyswitch.generate import scratch
from proxyswitch.generate.render import Made
from proxyswitch.proxies import haproxy_process, haproxy_stage, staging
from proxyswitch.proxies.base import Options
from proxyswitch.system import run

AROUND = """\
global
    maxconn 100

defaults
    mode http
    timeout client 30s

frontend proxyswitch_test
    bind 127.0.0.1:65535
"""


def main(made: Made, options: Options) -> str:
    """A whole config."""
    return _test(made, options, {})


def part(made: Made, options: Options) -> str:
    """A backend alone."""
    return _test(made, options, {"around.cfg": AROUND})


def _test(made: Made, options: Options, around: dict[str, str]) -> str:
    """Test it behind these files. What HAProxy warns of is returned. Raises Rejected."""
    try:
        binary = haproxy_process.find_binary(options.binary)
    except UsageError as error:
        return f"HAProxy did not test it: {error.what}"
    with scratch.folder() as folder:
        texts = {**around, "made.cfg": made.text}
        paths = [os.path.join(folder, name) for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            staging.write(path, text.encode(), "HAProxy")
        given = [word for path in paths for word in ("-f", path)]
        result = run.run(run.Command((binary, "-c", *given), haproxy_stage.TIMEOUT))
    return _judge(result, {paths[-1]: made.path})


def _judge(result: run.Result, names: dict[str, str]) -> str:
    said = list(haproxy_stage.messages(staging.own_names(result.err, names)))
    alerts = [message for message in said if message.level == "ALERT"]
    if alerts or not result.ok:
        raise haproxy_stage.rejected(alerts, result, names)
    return "; ".join(f"HAProxy warns: {message}" for message in said)
