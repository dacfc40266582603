"""Where people's own strategies are, and what each of their processes may use."""

from __future__ import annotations

from tcpdashboard.env import env

STRATEGIES_DIR: str = env.str("TCPD_STRATEGIES_DIR", default="")
STRATEGIES: list[str] = env.list("TCPD_STRATEGIES", default=[])
STRATEGY_LIMITS = {
    "deadline_s": env.float("TCPD_STRATEGY_DEADLINE_SECONDS", default=30),
    "memory_mb": env.int("TCPD_STRATEGY_MEMORY_MB", default=1024),
    "output_kb": env.int("TCPD_STRATEGY_OUTPUT_KB", default=256),
}
