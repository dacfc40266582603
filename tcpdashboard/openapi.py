"""How the API describes itself: the settings of drf-spectacular."""

from __future__ import annotations

from typing import Any, Final

SPECTACULAR: Final[dict[str, Any]] = {
    "TITLE": "TCPDashboard",
    "DESCRIPTION": "Market data of the exchanges this installation collects.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # Fields of one name whose choices differ.
    "ENUM_NAME_OVERRIDES": {
        "JobStateEnum": "tcpdashboard.common.models.Job.State",
        "JobDesiredEnum": "tcpdashboard.common.models.Job.Desired",
        "BacktestStateEnum": "backtests.models.Backtest.State",
        "SearchStateEnum": "backtests.models.Search.State",
        "TrialStateEnum": "backtests.models.Trial.State",
        "BotStateEnum": "bots.models.Bot.State",
        "BotDesiredEnum": "bots.models.Bot.Desired",
        "OrderStateEnum": "bots.models.Order.State",
        "ParityVerdictEnum": "bots.models.ParityReport.Verdict",
        "SeverityEnum": "tcpdashboard.common.models.Alert.Severity",
        "CollectorStateEnum": "marketdata.models.Collector.State",
        "CollectorDesiredEnum": "marketdata.models.Collector.Desired",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tcpdashboard.common.openapi.describe_problems",
    ],
}
