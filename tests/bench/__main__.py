"""Print the ratios that we promise, and end with status 1 when one is above its limit; then what users see of a switch.

    python -m tests.bench [speed] [instant] [--switches 20]

Both sides of a ratio are measured in turns in this one run, and the best of many runs counts: other load on the machine
slows single runs down, not the best of many.
"""

from __future__ import annotations

import argparse
import compileall
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import instant
from tests.bench.haproxy_config import big
from tests.e2e.haproxy_support import HAPROXY, HaproxyBench, haproxy_bench
from tests.e2e.support import CONF, REPO, Bench, bench

ROUNDS = 15
TOOL = str(Path(sys.executable).with_name("proxyswitch"))
BARE = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str = "x") -> None: print(name)
app()
"""


@dataclass(frozen=True)
class Ratio:
    """One promise: seconds of ours, seconds of what it is measured against, and the limit of their ratio."""

    what: str
    ours: float
    theirs: float
    limit: float

    @property
    def value(self) -> float:
        return self.ours / self.theirs

    def __str__(self) -> str:
        verdict = "ok" if self.value <= self.limit else "TOO SLOW"
        times = f"{self.ours * 1000:7.1f} {self.theirs * 1000:7.1f}"
        return f"{self.what:<64} {times} {self.value:6.2f} {self.limit:5.2f}  {verdict}"


def best(*sides: Callable[[], None], rounds: int = ROUNDS) -> list[float]:
    """The least seconds of each side, taken in turns."""
    times = [float("inf")] * len(sides)
    for _ in range(rounds):
        for i, side in enumerate(sides):
            begun = time.perf_counter()
            side()
            times[i] = min(times[i], time.perf_counter() - begun)
    return times


def command(argv: list[str], env: dict[str, str]) -> Callable[[], None]:
    def once() -> None:
        subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL)  # a timeout would poll

    return once


def as_installed(place: Bench) -> dict[str, str]:
    """The environment of a person who has installed the command: no PYTHONPATH."""
    return {key: value for key, value in place.environment().items() if key != "PYTHONPATH"}


def start_up(place: Bench) -> list[Ratio]:
    """`get` and `show --json` against a bare typer program."""
    bare = place.folder / "bare.py"
    bare.write_text(BARE)
    env = as_installed(place)
    conf = ["--nginx-conf", str(place.conf)]
    get, show, theirs = best(
        command([TOOL, "get", "app_backend", *conf], env),
        command([TOOL, "show", "--json", *conf], env),
        command([sys.executable, str(bare)], env),
    )
    name = "a bare typer program"
    return [Ratio(f"start: get / {name}", get, theirs, 1.7), Ratio(f"start: show --json / {name}", show, theirs, 1.7)]


def parsing(folder: Path) -> Ratio:
    """10,000 servers in one file, against crossplane."""
    import crossplane

    from proxyswitch.conf.nginx import parse

    def pool(number: int) -> str:
        rows = [f"    server 10.{number % 250}.{i}.1:3001 weight=5 max_fails=3; # a\n" for i in range(10)]
        return f"upstream pool_{number} {{\n{''.join(rows)}}}\n"

    path = folder / "big.conf"
    path.write_text("http {\n" + "".join(pool(n) for n in range(1000)) + "}\n")
    data = path.read_bytes()

    def ours() -> None:
        parse(data)

    def theirs() -> None:
        crossplane.parse(str(path), single=True)

    mine, other = best(ours, theirs, rounds=7)
    return Ratio("parse: 10,000 servers / crossplane", mine, other, 0.5)


def parsing_haproxy(folder: Path) -> Ratio:
    """10,000 servers in 1,000 backends, read into pools, against `haproxy -c` of the same file."""
    from proxyswitch.conf.haproxy.config import load
    from proxyswitch.conf.haproxy.pools import backends

    path = folder / "haproxy.cfg"
    path.write_bytes(big(1000, 10_000))

    def ours() -> None:
        assert sum(len(backend.pool().servers) for backend in backends(load([str(path)]))) == 10_000

    before = gc.get_threshold()
    gc.set_threshold(1_000_000)  # as the command does
    try:
        mine, other = best(ours, command([HAPROXY, "-c", "-q", "-f", str(path)], {}), rounds=9)
    finally:
        gc.set_threshold(*before)
    return Ratio("parse: 10,000 servers / haproxy -c", mine, other, 1.0)


def at_the_socket(place: HaproxyBench) -> Ratio:
    """What a switch by the runtime API says of its own time at the socket, against the 5 ms that we promise."""
    place.write(place.instance("1"), green=place.instance("2"))
    place.start()
    times = []
    for number in range(ROUNDS):
        argv = place.argv("switch", "app_backend", ("app-green", "app-blue")[number % 2], "--json")
        done = subprocess.run(argv, env=place.environment(), check=True, capture_output=True, text=True)
        times.append(json.loads(done.stdout)["socket_seconds"])
    return Ratio("socket: a switch in HAProxy / 5 ms", min(times), 0.005, 1.0)


SITE = """
upstream site_{0} {{
    least_conn;
    server 127.0.0.1:1 max_fails=2 fail_timeout=5s;
    server 127.0.0.1:2 backup;
    keepalive 8;
}}
server {{
    listen 127.0.0.1:{1};
    server_name site-{0}.example www.site-{0}.example;
    location / {{
        proxy_pass http://site_{0};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
    }}
}}
"""


def switching(place: Bench, *, one_file: bool) -> Ratio:
    """A switch among 1,000 upstreams, each with its site, against `nginx -t`, `nginx -s reload` and the wait for it."""
    sites = [SITE.format(number, place.port) for number in range(999)]
    pools = "upstream app_backend {{ server 127.0.0.1:{blue}; }}\n"
    if one_file:
        pools += "".join(sites).replace("{", "{{").replace("}", "}}")
    else:
        (place.folder / "sites").mkdir()
        for number, site in enumerate(sites):
            (place.folder / "sites" / f"{number}.conf").write_text(site)
        pools += "include sites/*.conf;\n"
    place.write(9, conf=CONF.replace("access_log off;", "access_log off; server_names_hash_max_size 8192;"), pools=pools)
    place.start()
    where = "one file" if one_file else "1,000 files"
    ours, theirs = best(_switch(place), _by_hand(place), rounds=9)
    return Ratio(f"switch: 1,000 upstreams in {where} / -t and reload by hand", ours, theirs, 1.5)


def _switch(place: Bench) -> Callable[[], None]:
    ports = iter(range(10, 60000))

    def once() -> None:
        argv = [TOOL, "switch", "app_backend", f"127.0.0.1:{next(ports)}", "-q", "--nginx-conf", str(place.conf)]
        subprocess.run(argv, env=as_installed(place), check=True)

    return once


def _by_hand(place: Bench) -> Callable[[], None]:
    nginx = ["/usr/sbin/nginx", "-p", str(place.folder), "-c", str(place.conf), "-e", str(place.folder / "error.log")]

    def once() -> None:
        old = place.workers.active
        subprocess.run([*nginx, "-t"], check=True, capture_output=True)
        subprocess.run([*nginx, "-s", "reload"], check=True, capture_output=True)
        while place.workers.active & old or not place.workers.active:
            time.sleep(0.002)

    return once


def speed() -> int:
    """The table of ratios."""
    compileall.compile_dir(str(REPO / "proxyswitch"), quiet=1)  # as pip does when it installs
    ratios: list[Ratio] = []
    with tempfile.TemporaryDirectory() as one, bench(Path(one)) as place:
        place.write(9)
        place.start()
        ratios += start_up(place)
        ratios.append(parsing(Path(one)))
    for one_file in (True, False):
        with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as place:
            ratios.append(switching(place, one_file=one_file))
    with tempfile.TemporaryDirectory() as folder, haproxy_bench(Path(folder)) as ha:
        ratios += [parsing_haproxy(Path(folder)), at_the_socket(ha)]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d}")
    print(f"{'best of many runs':<64} {'ours ms':>7} {'theirs':>7} {'ratio':>6} {'limit':>5}")
    for ratio in ratios:
        print(ratio)
    return int(any(r.value > r.limit for r in ratios))


def main() -> int:
    """Each section that was asked for, or all. 1 when one of them is not as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("section", nargs="*", help="speed, instant; both without any")
    parser.add_argument("--switches", type=int, default=instant.SWITCHES, help="how many of each way (%(default)s)")
    asked = parser.parse_args()
    if unknown := set(asked.section) - {"speed", "instant"}:
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there is speed, instant")
    os.chdir(REPO)
    status = 0
    if "speed" in asked.section or not asked.section:
        status |= speed()
    if "instant" in asked.section or not asked.section:
        status |= instant.main(asked.switches)
    return status


if __name__ == "__main__":
    sys.exit(main())
