"""How market data is collected, kept whole and kept at all: settings of `marketdata`."""

from __future__ import annotations

from tcpdashboard.env import env

COLLECTOR_LEASE_SECONDS = env.float("TCPD_COLLECTOR_LEASE_SECONDS", default=10)
COLLECTOR_RENEW_SECONDS = env.float("TCPD_COLLECTOR_RENEW_SECONDS", default=3)
# Whole seconds: beat's own table knows no fractions.
COLLECTOR_SWEEP_SECONDS = env.int("TCPD_COLLECTOR_SWEEP_SECONDS", default=2)
COLLECTOR_HEARTBEAT_SECONDS = env.float("TCPD_COLLECTOR_HEARTBEAT_SECONDS", default=5)
COLLECTOR_INSTRUMENTS = env.int("TCPD_COLLECTOR_INSTRUMENTS", default=100)
COLLECTOR_STALL_SECONDS = env.float("TCPD_COLLECTOR_STALL_SECONDS", default=300)
COLLECTOR_RESTARTS_PER_HOUR = env.int("TCPD_COLLECTOR_RESTARTS_PER_HOUR", default=10)
COLLECTOR_BACKOFF_SECONDS = env.float("TCPD_COLLECTOR_BACKOFF_SECONDS", default=1)
COLLECTOR_COOLDOWN_SECONDS = env.float("TCPD_COLLECTOR_COOLDOWN_SECONDS", default=900)
SOCKET_CHANNELS = env.int("TCPD_SOCKET_CHANNELS", default=240)
CHANNEL_SILENCE_SECONDS = env.float("TCPD_CHANNEL_SILENCE_SECONDS", default=30)
CANDLE_SILENCE_SECONDS = env.float("TCPD_CANDLE_SILENCE_SECONDS", default=180)
CHANNEL_RETRY_SECONDS = env.float("TCPD_CHANNEL_RETRY_SECONDS", default=60)
FEED_STALE_SECONDS = env.float("TCPD_FEED_STALE_SECONDS", default=120)
FEED_SILENT_SECONDS = env.float("TCPD_FEED_SILENT_SECONDS", default=60)
HISTORY_DAYS = env.int("TCPD_HISTORY_DAYS", default=30)
TRADES_KEPT_DAYS = env.int("TCPD_TRADES_KEPT_DAYS", default=90)
GAP_SCAN_SECONDS = env.int("TCPD_GAP_SCAN_SECONDS", default=60)
# Younger minutes are left to the socket, which confirms them within seconds.
VERIFY_AFTER_MINUTES = env.int("TCPD_VERIFY_AFTER_MINUTES", default=3)
REPAIR_SWEEP_SECONDS = env.int("TCPD_REPAIR_SWEEP_SECONDS", default=5)
REPAIR_GRACE_SECONDS = env.float("TCPD_REPAIR_GRACE_SECONDS", default=60)
REPAIR_LEASE_SECONDS = env.float("TCPD_REPAIR_LEASE_SECONDS", default=15)
REPAIRS_AT_ONCE = env.int("TCPD_REPAIRS_AT_ONCE", default=2)
REPAIR_PAUSE_SECONDS = env.float("TCPD_REPAIR_PAUSE_SECONDS", default=0.05)
REPAIR_RETRY_SECONDS = env.float("TCPD_REPAIR_RETRY_SECONDS", default=30)
REPAIR_ATTEMPTS = env.int("TCPD_REPAIR_ATTEMPTS", default=8)
ID_RULE_HOLES = env.int("TCPD_ID_RULE_HOLES", default=20)
RAW_SECONDS = env.str(
    "TCPD_RAW_SECONDS",
    default="tickers=10,books=30,candle_pushes=20,status=0,instruments=0,balances=0",
)
RETENTION_DAYS = env.str(
    "TCPD_RETENTION_DAYS",
    default=(
        "tickers=14,books=14,candle_pushes=90,status=730,instruments=730,balances=730,trades=365"
    ),
)
RETENTION_ARCHIVED = env.list("TCPD_RETENTION_ARCHIVED", default=[])
OKX_REST_URL = env.str("TCPD_OKX_REST_URL", default="https://www.okx.com")
OKX_WS_URL = env.str("TCPD_OKX_WS_URL", default="wss://ws.okx.com:8443/ws/v5")
OKX_CA_FILE = env.str("TCPD_OKX_CA_FILE", default="")
OKX_LIMITS = env.bool("TCPD_OKX_LIMITS", default=True)
