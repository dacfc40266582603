"""The test session's own engines, started before Django reads its settings."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import django
import pytest
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")
os.environ.setdefault("TCPD_SECRET_KEY", secrets.token_urlsafe(48))

_started = None


if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
    from tcpdashboard.embedded import Engines

    _folder = Path(tempfile.mkdtemp(prefix="tcpd-"))
    _folder.chmod(0o755)
    os.environ["TCPD_VAR"] = str(_folder)
    _started = Engines(_folder)
    _started.start()
    os.environ["DATABASE_URL"] = _started.database_url
    os.environ["REDIS_URL"] = _started.redis_url

django.setup()

# Templates name files as they are in the tree: no collectstatic before tests.
settings.WHITENOISE_USE_FINDERS = True
settings.STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


def pytest_unconfigure() -> None:
    if _started is not None:
        _started.stop()
        shutil.rmtree(_started.var_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data; tests that need it skip with the reason when absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TCPD_SHARED_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"recorded market data is not at {folder}; set TCPD_SHARED_DATA")
    return folder
