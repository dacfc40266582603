"""What the tests of bots share."""

from __future__ import annotations

import pytest

from bots.domain.warming import warm_kernels
from tests.bots.people import make_market
from tests.marketdata.conftest import queues

__all__ = ["queues"]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile what is not on disk yet: within a test it would count against time limits."""
    if not session.config.option.collectonly:
        warm_kernels()


@pytest.fixture
def market(db):
    return make_market()
