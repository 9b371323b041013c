"""Print the ratios that we promise, and end with status 1 when one is above its limit.

Both sides of a ratio are measured in turns in this one run, and the best of many runs counts: other load on the machine
slows single runs down, not the best of many.
"""

from __future__ import annotations

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

from tests.e2e.support import REPO, Bench, bench

ROUNDS = 15
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
        return f"{self.what:<58} {self.ours * 1000:7.1f} {self.theirs * 1000:7.1f} {self.value:6.2f} {self.limit:5.2f}  {verdict}"


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
    return lambda: subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL, timeout=60) and None


def start_up(place: Bench) -> list[Ratio]:
    """`get` and `show --json` against a bare typer program."""
    bare = place.folder / "bare.py"
    bare.write_text(BARE)
    env, tool = place.environment(), str(Path(sys.executable).with_name("proxyswitch"))
    conf = ["--nginx-conf", str(place.conf)]
    get, show, theirs = best(
        command([tool, "get", "app_backend", *conf], env),
        command([tool, "show", "--json", *conf], env),
        command([sys.executable, str(bare)], env),
    )
    name = "a bare typer program"
    return [Ratio(f"start: get / {name}", get, theirs, 1.7), Ratio(f"start: show --json / {name}", show, theirs, 1.7)]


def parsing(folder: Path) -> Ratio:
    """10,000 servers in one file, against crossplane."""
    import crossplane

    from proxyswitch.conf.nginx import parse

    pools = "".join(
        f"upstream pool_{i} {{\n"
        + "".join(f"    server 10.{i % 250}.{j}.1:3001 weight=5 max_fails=3; # a\n" for j in range(10))
        + "}\n"
        for i in range(1000)
    )
    path = folder / "big.conf"
    path.write_text("http {\n" + pools + "}\n")
    data = path.read_bytes()
    ours, theirs = best(lambda: parse(data) and None, lambda: crossplane.parse(str(path), single=True) and None, rounds=7)
    return Ratio("parse: 10,000 servers / crossplane", ours, theirs, 0.5)


def switching(place: Bench) -> Ratio:
    """A switch among 1,000 upstreams, against `nginx -t`, `nginx -s reload` and the wait until the old workers are gone."""
    pools = "".join(f"upstream other_{i} {{ server 127.0.0.1:1; server 127.0.0.1:2 backup; }}\n" for i in range(999))
    place.write(
        9, pools="upstream app_backend {{ server 127.0.0.1:{blue}; }}\n" + pools.replace("{", "{{").replace("}", "}}")
    )
    place.start()
    ports = iter(range(10, 60000))
    nginx = ["/usr/sbin/nginx", "-p", str(place.folder), "-c", str(place.conf), "-e", str(place.folder / "error.log")]
    tool = str(Path(sys.executable).with_name("proxyswitch"))

    def by_hand() -> None:
        old = place.workers.active
        subprocess.run([*nginx, "-t"], check=True, capture_output=True, timeout=60)
        subprocess.run([*nginx, "-s", "reload"], check=True, capture_output=True, timeout=60)
        while place.workers.active & old or not place.workers.active:
            time.sleep(0.002)

    def ours() -> None:
        argv = [tool, "switch", "app_backend", f"127.0.0.1:{next(ports)}", "-q", "--nginx-conf", str(place.conf)]
        subprocess.run(argv, env=place.environment(), check=True, timeout=60)

    mine, theirs = best(ours, by_hand, rounds=9)
    return Ratio("switch: 1,000 upstreams / nginx -t and a reload by hand", mine, theirs, 1.5)


def main() -> int:
    os.chdir(REPO)
    ratios: list[Ratio] = []
    with tempfile.TemporaryDirectory() as one, bench(Path(one)) as place:
        place.write(9)
        place.start()
        ratios += start_up(place)
        ratios.append(parsing(Path(one)))
    with tempfile.TemporaryDirectory() as two, bench(Path(two)) as place:
        ratios.append(switching(place))
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d}")
    print(f"{'best of many runs':<58} {'ours ms':>7} {'theirs':>7} {'ratio':>6} {'limit':>5}")
    for ratio in ratios:
        print(ratio)
    return int(any(r.value > r.limit for r in ratios))


if __name__ == "__main__":
    sys.exit(main())
