"""Ten releases of two services of a compose file that generate made, behind nginx in instant mode, under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxyswitch.proxies import nginx_flags
from tests.e2e.compose_support import ComposeShop, compose_shop, prepare, shorter_uploads, ten_releases
from tests.e2e.instant_support import CONF_INSTANT, POOLS_INSTANT, InstantBench
from tests.runners.docker import Docker

__all__ = ["shorter_uploads"]
pytest_plugins = ["tests.e2e.instant_fixtures"]
pytestmark = [pytest.mark.root, pytest.mark.usefixtures("shorter_uploads")]


@pytest.fixture
def web(docker: Docker, prefix: str, blank: InstantBench) -> Iterator[ComposeShop]:
    """Version 1 is live in slot blue, behind a flag of nginx."""
    with compose_shop(docker, prefix, blank) as made:
        conf = CONF_INSTANT.replace("{flags}", str(blank.flags)).replace("{key}", blank.key)
        blank.write(made.blue, conf, POOLS_INSTANT.replace("{green}", str(made.green)))
        made.generate()
        nginx_flags.make(str(blank.flags), 0)
        blank.start()
        prepare(made)
        yield made


def test_behind_nginx_in_instant_mode_no_request_fails(web: ComposeShop) -> None:
    workers = web.bench.workers.active
    ten_releases(web, "instant")
    assert web.bench.workers.active == workers
