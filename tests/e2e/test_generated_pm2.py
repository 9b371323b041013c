"""An ecosystem file that generate made for two slots in fork mode, of an app that never says that it is ready."""

from __future__ import annotations

from pathlib import Path

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from tests.e2e.pm2_support import pm2_beside
from tests.e2e.support import bench
from tests.runners.pm2 import Pm2


def test_there_and_back_in_fork_mode(tmp_path: Path, pm2: Pm2, nginx_binary: str) -> None:
    (tmp_path / "nginx").mkdir()
    with bench(tmp_path / "nginx") as proxy, pm2_beside(tmp_path, pm2, proxy) as web:
        web.generate("--mode", "fork", "--no-ready")
        proxy.write(web.site.port)
        proxy.start()
        web.site.put("1")
        web.run("start", "web:blue", "--version", "1")
        web.as_before()
        with Load(Endpoint("127.0.0.1", proxy.port), keepalive=1, closing=1, long=1, long_seconds=0.5) as load:
            web.release("2")
            assert (web.instances(), web.served()) == ({"green": "2"}, "2")
            web.run("rollback", "web")
        seen = load.stop()
        assert seen.failures == 0, (seen.by_kind, seen.errors)
        web.as_before()
        assert {one["pm2_env"]["exec_mode"] for one in pm2.list()} == {"fork_mode"}
