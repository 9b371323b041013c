"""Is an instance healthy: one try, wait until it is, watch that it stays so.

A try has one deadline for everything that it does, and a failing server is an answer, never an exception.
"""

from proxyswitch.health.check import Answer, Check
from proxyswitch.health.fill import check_for
from proxyswitch.health.probing import probe
from proxyswitch.health.target import parse_target
from proxyswitch.health.waiting import Alive, Died, NeverHealthy, TurnedUnhealthy, hold, unwatched, wait

__all__ = [
    "Alive",
    "Answer",
    "Check",
    "Died",
    "NeverHealthy",
    "TurnedUnhealthy",
    "check_for",
    "hold",
    "parse_target",
    "probe",
    "unwatched",
    "wait",
]
