"""What a page may load: everything from this host, and nothing from anywhere else."""

from __future__ import annotations

from typing import Any, Final

from csp.constants import NONE, SELF, UNSAFE_INLINE

POLICY: Final[dict[str, Any]] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        # Plotly writes one style element; attributes stay strict.
        "style-src-elem": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
