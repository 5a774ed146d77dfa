from tests.requests.conftest import world

__all__ = ["world"]
