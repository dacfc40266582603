"""Put an archive's rows back into the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.storage.archives import ArchiveDamaged, archives
from marketdata.storage.restoring import UnknownInstrument, restore_archive


class Command(BaseCommand):
    help = (
        "Put an archive's rows back; rows that are there stay. Lengthen the retention first, or "
        "the next enforcement takes them away again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", help="A name within the archives, or a file's path."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, is_brought = _name(options["file"])
        try:
            restored = restore_archive(name)
        except (ArchiveDamaged, UnknownInstrument) as error:
            raise CommandError(str(error)) from None
        finally:
            if is_brought:
                archives().delete(name)
        self.stdout.write(f"{restored.rows:,} rows in {name}, {restored.added:,} of them restored")


def _name(asked: str) -> tuple[str, bool]:
    """Return the archive's name, and whether it was brought in from outside for this restore."""
    path = Path(asked)
    if path.is_absolute() or not archives().exists(asked):
        if not path.is_file():
            raise CommandError(f"{asked} is neither among the archives nor a file")
        with path.open("rb") as file:
            return archives().save(f"restore/{path.name}", File(file)), True
    return asked, False
