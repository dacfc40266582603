"""Bring database, static files and first user up to date, quickly when they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    help = "Run migrations, make the first user and collect static files, as far as needed."

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        if missing := _missing_migrations():
            self.stdout.write(f"applying {missing} migrations")
            call_command("migrate", interactive=False, verbosity=0)
        call_command("first_user", stdout=self.stdout)
        if _collect_static_files():
            self.stdout.write("collected the static files")


def _missing_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _collect_static_files() -> bool:
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    # Copied afresh, because collectstatic compares times only to the second.
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(wanted)
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for line in sorted(_files()):
        digest.update(line.encode())
    return digest.hexdigest()


def _files() -> Iterator[str]:
    for finder in get_finders():
        for name, storage in finder.list(None):
            found = Path(storage.path(name)).stat()
            yield f"{name}:{found.st_size}:{found.st_mtime_ns}\n"
