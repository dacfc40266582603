"""Static files under names that carry their hash, inside JavaScript modules too."""

from __future__ import annotations

from whitenoise.storage import (  # type: ignore[import-untyped]
    CompressedManifestStaticFilesStorage,
)


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrite `import` lines in modules, so that no page mixes two versions of the code."""

    support_js_module_import_aggregation = True
