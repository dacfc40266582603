"""Where market data come from: OKX, or the simulated exchange and its addresses."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from tcpdashboard.supervisor.conditions import free_port


@dataclass(frozen=True, slots=True)
class Source:
    """`chosen` is auto, okx or okx-sim; with auto, a probe writes what it found to `file`."""

    chosen: str
    file: Path
    port: int
    tls_port: int
    speed: float

    @classmethod
    def of(cls, chosen: str, speed: float, folder: Path) -> Source:
        """Return the source for a start; what an earlier probe found no longer counts."""
        file = folder / "exchange"
        file.unlink(missing_ok=True)
        return cls(chosen, file, free_port(), free_port(), speed)

    @property
    def must_be_probed(self) -> bool:
        return self.chosen == "auto"

    @property
    def name(self) -> str:
        """The exchange's name; empty as long as the probe has found nothing."""
        if self.chosen != "auto":
            return self.chosen
        with contextlib.suppress(FileNotFoundError):
            return self.file.read_text().strip()
        return ""

    @property
    def is_simulated(self) -> bool:
        return self.name == "okx-sim"

    @property
    def env(self) -> dict[str, str]:
        """The variables that every program gets; OKX's own addresses are Django's defaults."""
        if self.is_simulated:
            return {
                "TCPD_EXCHANGE": "okx-sim",
                "TCPD_OKX_REST_URL": f"http://127.0.0.1:{self.port}",
                "TCPD_OKX_WS_URL": f"ws://127.0.0.1:{self.port}/ws/v5",
                "TCPD_OKX_CA_FILE": "",
            }
        return {"TCPD_EXCHANGE": "okx"} if self.name else {}

    def described(self) -> str:
        """Say in words where data come from."""
        if not self.is_simulated:
            url = os.environ.get("TCPD_OKX_REST_URL")
            return "market data come from OKX" + (f" at {url}" if url else "")
        speed = f" at {self.speed:g} times the usual speed" if self.speed != 1 else ""
        return f"market data are simulated (okx-sim){speed}"
