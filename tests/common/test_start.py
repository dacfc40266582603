"""What a process is like once everything is loaded."""

from __future__ import annotations

import gc


def test_garbage_is_collected_but_not_among_what_the_start_has_loaded():
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000
