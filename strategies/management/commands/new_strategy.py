"""manage.py new_strategy: write a commented strategy to begin with, and its test."""

from __future__ import annotations

import keyword
from argparse import ArgumentParser
from pathlib import Path
from string import Template
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

_TEMPLATES: Final = Path(__file__).resolve().parents[2] / "templates" / "strategies"


class Command(BaseCommand):
    help = "Write a commented strategy to begin with, and its test."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="Of file and key, such as my_breakout.")
        parser.add_argument(
            "--folder", type=Path, help="Default: the folder of TCPD_STRATEGIES_DIR."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, folder = options["name"], options["folder"] or settings.STRATEGIES_DIR
        if not folder:
            raise CommandError("set TCPD_STRATEGIES_DIR, or say where: --folder FOLDER")
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith(("_", "test_")):
            raise CommandError(f"expected a name such as my_breakout; was {name!r}")
        title = name.replace("_", " ")
        words = {"name": name, "title": title.capitalize(), "class_name": title.title()}
        words["class_name"] = words["class_name"].replace(" ", "")
        files = {
            Path(folder) / f"{name}.py": "strategy.py.txt",
            Path(folder) / f"test_{name}.py": "test_strategy.py.txt",
        }
        for file in files:
            if file.exists():
                raise CommandError(f"{file} is there already")
        Path(folder).mkdir(parents=True, exist_ok=True)
        for file, template in files.items():
            file.write_text(Template((_TEMPLATES / template).read_text()).substitute(words))
            self.stdout.write(str(file))
        self.stdout.write(f"Next: manage.py check_strategy own:{name}")
