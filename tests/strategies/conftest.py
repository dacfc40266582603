"""People and folders that the tests of strategies share."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from rest_framework.test import APIClient

GOOD = '''\
"""Mine."""
import numpy as np
from strategies.domain.base import BaseStrategy
from strategies.domain.params import Whole


class Mine(BaseStrategy):
    """Long above the average."""

    key, title, source = "mine", "My own", "myself"
    parameters = (Whole("period", "Period", 5, 2, 50, "Candles."),)

    @property
    def warmup(self):
        return self.params["period"]

    def process_data(self, candles):
        mean = candles.indicator("sma", period=self.params["period"])["sma"]
        return np.where(np.isnan(mean), np.nan, np.where(candles.close > mean, 1.0, 0.0))
'''


@pytest.fixture(autouse=True)
def _fresh():
    cache.clear()


@pytest.fixture
def ada(db):
    return get_user_model().objects.create_user("ada")


@pytest.fixture
def bob(db):
    return get_user_model().objects.create_user("bob")


def client_of(user):
    client = APIClient()
    client.force_login(user)
    return client


@pytest.fixture
def own_folder(tmp_path, settings):
    """A folder with one good strategy of one's own, and one that cannot be loaded."""
    settings.STRATEGIES_DIR = str(tmp_path)
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text("x = 1\ndef broken(:\n")
    (tmp_path / "_shared.py").write_text("VALUE = 1\n")
    return tmp_path
