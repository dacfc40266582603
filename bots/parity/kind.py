"""The jobs that make reports somebody asked for."""

from __future__ import annotations

from typing import Final

from tcpdashboard.common.jobs.kinds import JobKind

PARITY: Final = JobKind(
    name="parity", handler="bots.parity.running.run_reports", unit="runs", at_once=2
)
