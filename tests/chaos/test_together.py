"""Two switches at once: one waits for the other, or gives up; never half of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.support import history, place
from tests.chaos.test_switch import settled

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy
TIMES = 10


@pytest.mark.parametrize("wait", ["10s", "0s"])
def test_two_switches_at_once(tmp_path: Path, nginx_binary: str, wait: str) -> None:
    with place(tmp_path / "0") as made:
        for _ in range(TIMES // 2):
            before = len(history(made))
            targets = [version for version in made.ports if version != made.in_file()]
            words = [("switch", "app_backend", made.address(version), "--lock-timeout", wait) for version in targets]
            runs = [made.spawn(*one) for one in words]
            said = [run.communicate(timeout=60) for run in runs]
            codes = [run.returncode for run in runs]
            assert set(codes) <= {0, 75}, said
            assert 0 in codes, said
            if wait != "0s":
                assert codes == [0, 0], said
            done = history(made)[before:]
            assert len(done) == codes.count(0)
            assert settled(made) == next(
                v for v, port in made.ports.items() if done[-1].after[0].address.endswith(str(port))
            )
