"""Ten releases of two services of a compose file behind HAProxy, under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.compose_support import ComposeShop, compose_shop, prepare, shorter_uploads, ten_releases
from tests.e2e.haproxy_support import HaproxyBench
from tests.runners.docker import Docker

__all__ = ["shorter_uploads"]
pytest_plugins = ["tests.e2e.haproxy_fixtures"]
pytestmark = [pytest.mark.root, pytest.mark.usefixtures("shorter_uploads")]


@pytest.fixture
def web(docker: Docker, prefix: str, ha_place: HaproxyBench) -> Iterator[ComposeShop]:
    """Version 1 is live in slot blue."""
    with compose_shop(docker, prefix, ha_place, "haproxy") as made:
        ha_place.write(made.blue, green=made.green)
        ha_place.start()
        prepare(made)
        yield made


def test_behind_haproxy_no_request_fails(web: ComposeShop) -> None:
    ten_releases(web, "runtime")
