#!/usr/bin/env python3
"""Keep the front-end files of other projects under static/vendor, exactly as recorded.

`vendor.py update` fetches the packages of RECIPES with `npm pack` (a developer's machine only),
checks npm's integrity, copies the listed files and writes vendor.lock.json.
`vendor.py check` hashes what is there against the lock: no network, no npm.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
LOCK = ROOT / "vendor.lock.json"

ICONS = (  # names, as the package's icons folder spells them
    "arrow-clockwise arrow-down-short arrow-up-short box-arrow-right braces bar-chart-line "
    "calendar-event check-lg chevron-down circle-half code-slash download exclamation-triangle "
    "file-earmark-spreadsheet gear grid-3x3-gap info-circle keyboard moon-stars pause-fill "
    "person-circle play-fill plus-lg power question-circle search skip-end-fill sun table "
    "window-sidebar x-lg activity zoom-in zoom-out chevron-left chevron-right bell database "
    "heart-pulse lock unlock shield-check shield-exclamation clock-history graph-up-arrow list- "
    "check sliders tags pencil trash arrow-repeat copy layers file-earmark-zip file-earmark-text "
    "robot wallet2 stop-fill bezier2 lightning-charge eye"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One npm package and what is taken from it: target under static/vendor -> path inside."""

    name: str
    version: str
    licence: str
    files: dict[str, str]
    icons: str = ""


RECIPES = (
    Recipe(
        # The finance bundle of the major that plotly.py 7 writes figures for.
        "plotly.js-finance-dist-min",
        "4.1.0",
        "MIT",
        {"plotly/plotly-finance.min.js": "plotly-finance.min.js", "plotly/LICENSE": "LICENSE"},
    ),
    Recipe(
        "bootstrap",
        "5.3.9",
        "MIT",
        {
            "bootstrap/bootstrap.min.css": "dist/css/bootstrap.min.css",
            "bootstrap/bootstrap.bundle.min.js": "dist/js/bootstrap.bundle.min.js",
            "bootstrap/LICENSE": "LICENSE",
        },
    ),
    Recipe("bootstrap-icons", "1.13.2", "MIT", {"bootstrap-icons/LICENSE": "LICENSE"}, ICONS),
    Recipe(
        "@fontsource-variable/inter",
        "5.3.0",
        "OFL-1.1",
        {
            "inter/inter-latin.woff2": "files/inter-latin-wght-normal.woff2",
            "inter/inter-latin-ext.woff2": "files/inter-latin-ext-wght-normal.woff2",
            "inter/LICENSE": "LICENSE",
        },
    ),
)


def update() -> None:
    """Fetch every package, write its files and the lock."""
    entries = []
    with tempfile.TemporaryDirectory() as folder:
        for recipe in RECIPES:
            archive, integrity = _pack(recipe, Path(folder))
            contents = {
                target: _cleaned(source, _member(archive, source))
                for target, source in recipe.files.items()
            }
            if recipe.icons:
                contents["bootstrap-icons/icons.svg"] = _sprite(archive, recipe.icons.split())
            entries.append(_entry(recipe, integrity, contents))
            for target, data in contents.items():
                (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
                (VENDOR / target).write_bytes(data)
    LOCK.write_text(json.dumps({"packages": entries}, indent=2) + "\n")


def check() -> list[str]:
    """Return one sentence for each file that is missing, changed or not in the lock."""
    locked = {
        target: facts
        for package in json.loads(LOCK.read_text())["packages"]
        for target, facts in package["files"].items()
    }
    problems = [
        f"static/vendor/{target} differs from vendor.lock.json; run scripts/vendor.py update"
        for target, facts in locked.items()
        if not (VENDOR / target).is_file()
        or _sha256((VENDOR / target).read_bytes()) != facts["sha256"]
    ]
    present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    return problems + [
        f"static/vendor/{path} is not in vendor.lock.json; add it to RECIPES or remove it"
        for path in sorted(present - locked.keys())
    ]


def _pack(recipe: Recipe, folder: Path) -> tuple[Path, str]:
    wanted = f"{recipe.name}@{recipe.version}"
    result = subprocess.run(
        ["npm", "pack", wanted, "--json"], cwd=folder, check=True, capture_output=True
    )
    (facts,) = json.loads(result.stdout)
    archive = folder / facts["filename"]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if facts["integrity"] != f"sha512-{digest}":
        raise SystemExit(f"{wanted}: the archive does not have the integrity npm prints")
    return archive, facts["integrity"]


def _member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"package/{name}")
        if member is None:
            raise SystemExit(f"{archive.name} holds no file {name}")
        return member.read()


def _cleaned(source: str, data: bytes) -> bytes:
    """Drop source map references: the maps are not shipped, and hashing would look for them."""
    if not source.endswith((".css", ".js")):
        return data
    text = re.sub(r"\n?(/\*|//)# sourceMappingURL=\S+( \*/)?\n?", "\n", data.decode())
    return text.encode()


def _sprite(archive: Path, names: list[str]) -> bytes:
    symbols = []
    for name in sorted(names):
        svg = _member(archive, f"icons/{name}.svg").decode()
        body = svg[svg.index(">") + 1 : svg.rindex("</svg>")].strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 16 16">{body}</symbol>')
    joined = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{joined}\n</svg>\n'.encode()


def _entry(recipe: Recipe, integrity: str, contents: dict[str, bytes]) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "version": recipe.version,
        "licence": recipe.licence,
        "integrity": integrity,
        "files": {
            target: {
                "from": recipe.files.get(target, "icons/*.svg"),
                "bytes": len(data),
                "sha256": _sha256(data),
            }
            for target, data in contents.items()
        },
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main(arguments: list[str]) -> int:
    if arguments == ["update"]:
        update()
        return 0
    if arguments == ["check"]:
        problems = check()
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        return 1 if problems else 0
    sys.stderr.write("usage: vendor.py update | check\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
