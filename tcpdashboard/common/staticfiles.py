"""Static files under names that carry their hash, inside JavaScript modules too."""

from __future__ import annotations

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrite `import` lines in modules, so that no page mixes two versions of the code."""

    support_js_module_import_aggregation = True

    def create_compressor(self, **options: Any) -> Compressor:
        # Brotli takes a minute of CPU at every change to save a tenth of a second per visitor.
        return Compressor(**options, use_brotli=False)
