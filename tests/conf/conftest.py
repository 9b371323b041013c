from __future__ import annotations

import pytest

from tests.nginx_check import Nginx


@pytest.fixture(scope="session")
def nginx(nginx_binary: str, nginx_globals: str) -> Nginx:
    return Nginx(nginx_binary, nginx_globals)
