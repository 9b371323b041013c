from tests.drivers.world import world

__all__ = ["world"]
