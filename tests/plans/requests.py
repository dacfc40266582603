"""Everything that pages and programs may ask the site for, with the rows of `rows.py` filled in."""

from __future__ import annotations

from marketdata.domain.timeframe import DAY_MS
from marketdata.models import from_ms
from tests.plans.rows import END_MS, NOON_MS, START_MS

_ONE = "exchange=okx-sim&symbol=BTC-USDT"
_SPAN = f"start={END_MS - 3 * DAY_MS}&end={END_MS}"
_CHART = "/chart/okx-sim/BTC-USDT/1m"
_DRAWN = "indicators=ema:50"
_FORM = (
    "instrument=okx-sim:BTC-USDT"
    f"&start={from_ms(START_MS):%Y-%m-%dT%H:%M}&end={from_ms(END_MS):%Y-%m-%dT%H:%M}"
)

MARKETS = {
    "Markets": "/markets/",
    "Chart": f"{_CHART}/",
    "Chart: window": f"{_CHART}/window?{_SPAN}&{_DRAWN}",
    "Chart: window of all": f"{_CHART}/window?start={START_MS}&end={END_MS}",
    "Chart: figure": f"{_CHART}/figure?{_SPAN}",
    "Chart: file": f"{_CHART}/export?{_SPAN}",
    "System health": "/system/",
    "Data": "/data/",
    "Data: coverage": "/data/coverage",
    "Data: gaps": "/data/gaps",
    "Data: storage": "/data/storage",
    "Data: retention": "/data/retention",
    "Data: backfills": "/data/backfills",
    "Data: one day": f"/data/day/okx-sim/BTC-USDT/{from_ms(NOON_MS):%Y-%m-%d}/",
    "API candles": f"/api/v1/candles/?{_ONE}&timeframe=1m",
    "API candles of a range": f"/api/v1/candles/?{_ONE}&timeframe=1h&{_SPAN}",
    "API candles that fit": f"/api/v1/candles/?{_ONE}&timeframe=auto&{_SPAN}&max_points=500",
    "API trades": f"/api/v1/trades/?{_ONE}",
    "API trades of a range": f"/api/v1/trades/?{_ONE}&start={NOON_MS}&end={NOON_MS + 600_000}",
    "API integrity": f"/api/v1/integrity/?{_ONE}&timeframe=1m&{_SPAN}",
    "API integrity of hours": f"/api/v1/integrity/?{_ONE}&timeframe=1h&{_SPAN}",
    "API raw": f"/api/v1/raw/?exchange=okx-sim&channel=tickers&symbol=BTC-USDT&{_SPAN}",
    "API gaps": "/api/v1/gaps/",
    "API gap": "/api/v1/gaps/{gap}/",
    "API instruments": "/api/v1/instruments/",
    "API instrument": "/api/v1/instruments/okx-sim/BTC-USDT/",
    "API collectors": "/api/v1/collectors/",
    "API collector": "/api/v1/collectors/okx-sim/",
    "API backfills": "/api/v1/backfills/",
    "API backfill": "/api/v1/backfills/{backfill}/",
}

STRATEGIES = {
    "Strategies": "/strategies/",
    "Strategies: own": "/strategies/own",
    "Strategies: one": "/strategies/of?key=ema_crossover",
    "Strategies: new configuration": "/strategies/configs/new/?strategy=ema_crossover",
    "Strategies: configuration": "/strategies/configs/{config}/",
    "API strategies": "/api/v1/strategies/",
    "API strategy": "/api/v1/strategies/ema_crossover/",
    "API configurations": "/api/v1/strategy-configs/",
    "API configuration": "/api/v1/strategy-configs/{config}/",
    "API configuration: versions": "/api/v1/strategy-configs/{config}/versions/",
}

BACKTESTS = {
    "Backtests": "/backtests/",
    "Backtests: list": "/backtests/list",
    "Backtests: new": "/backtests/new/",
    "Backtests: new as another": "/backtests/new/?from={backtest}",
    "Backtests: parameters": "/backtests/new/parameters?strategy=ema_crossover",
    "Backtests: what is stored": f"/backtests/new/coverage?{_FORM}",
    "Backtests: compared": "/backtests/compare/?id={backtest}&id={again}",
    "Backtest": "/backtests/{backtest}/",
    "Backtest: equity": f"/backtests/{{backtest}}/equity?{_SPAN}",
    "Backtest: trades": "/backtests/{backtest}/trades",
    "Backtest: file": "/backtests/{backtest}/export?format=csv",
    "Backtest: chart": f"/backtests/{{backtest}}/chart/window?{_SPAN}",
    "Backtests: layers": f"/backtests/layers/?{_ONE}",
    "Backtest: layer": f"/backtests/layers/{{backtest}}/?{_SPAN}",
    "Searches": "/backtests/searches/",
    "Searches: list": "/backtests/searches/list",
    "Searches: new": "/backtests/searches/new/",
    "Searches: space": "/backtests/searches/new/space?strategy=ema_crossover",
    "Search": "/backtests/searches/{search}/",
    "Search: trials": "/backtests/searches/{search}/trials",
    "Search: heat": "/backtests/searches/{search}/heat?x=fast&y=slow",
    "API backtests": "/api/v1/backtests/",
    "API backtest": "/api/v1/backtests/{backtest}/",
    "API backtest: result": "/api/v1/backtests/{backtest}/result/",
    "API backtest: fills": "/api/v1/backtests/{backtest}/fills/",
    "API backtest: equity": "/api/v1/backtests/{backtest}/equity/",
    "API backtest: report": "/api/v1/backtests/{backtest}/report/",
    "API backtest: archive": "/api/v1/backtests/{backtest}/archive/",
    "API backtest: export": "/api/v1/backtests/{backtest}/export/",
    "API searches": "/api/v1/searches/",
    "API search": "/api/v1/searches/{search}/",
    "API search: trials": "/api/v1/searches/{search}/trials/",
    "API search: heat": "/api/v1/searches/{search}/heat/?x=fast&y=slow",
    "API search: columns": "/api/v1/searches/{search}/columns/",
    "API search: export": "/api/v1/searches/{search}/export/",
}

BOTS = {
    "Bots": "/bots/",
    "Bots: list": "/bots/list",
    "Bots: new": "/bots/new/",
    "Bots: what is stored": "/bots/new/facts?config={config}&instrument=okx-sim:BTC-USDT",
    "Bots: layers": f"/bots/layers/?{_ONE}",
    "Bot": "/bots/{bot}/",
    "Bot: state": "/bots/{bot}/state",
    "Bot: records": "/bots/{bot}/records",
    "Bot: parity": "/bots/{bot}/records?records=parity",
    "Bot: edit": "/bots/{bot}/edit/",
    "Bot: layer": f"/bots/layers/{{bot}}/?{_SPAN}",
    "Portfolio": "/portfolio/",
    "Portfolio: figures": "/portfolio/figures",
    "API bots": "/api/v1/bots/",
    "API bot": "/api/v1/bots/{bot}/",
    "API bot: commands": "/api/v1/bots/{bot}/commands/",
    "API bot: equity": "/api/v1/bots/{bot}/equity/",
    "API bot: events": "/api/v1/bots/{bot}/events/",
    "API bot: fills": "/api/v1/bots/{bot}/fills/",
    "API bot: ledger": "/api/v1/bots/{bot}/ledger/",
    "API bot: orders": "/api/v1/bots/{bot}/orders/",
    "API bot: parity": "/api/v1/bots/{bot}/parity/",
    "API bot: round trips": "/api/v1/bots/{bot}/round-trips/",
    "API bot: runs": "/api/v1/bots/{bot}/runs/",
    "API bot: signals": "/api/v1/bots/{bot}/signals/",
    "API bot: file": "/api/v1/bots/{bot}/export/fills.csv",
    "API portfolio": "/api/v1/portfolio/",
    "API limits": "/api/v1/bot-limits/",
    "API verdicts": "/api/v1/bot-verdicts/",
    "API verdict": "/api/v1/bot-verdicts/{verdict}/",
}

COMMON = {
    "API jobs": "/api/v1/jobs/",
    "API job": "/api/v1/jobs/{backfill}/",
    "Alerts": "/alerts/",
    "Alerts: list": "/alerts/list",
    "API alerts": "/api/v1/alerts/",
    "API alerts: counts": "/api/v1/alerts/counts/",
    "API alert": "/api/v1/alerts/{alert}/",
    "API alert channels": "/api/v1/alert-channels/",
    "API alert channel": "/api/v1/alert-channels/{channel}/",
    "API alert channel: deliveries": "/api/v1/alert-channels/{channel}/deliveries/",
    "Admin candles": "/admin/marketdata/candlerow/",
    "Admin candles of one": "/admin/marketdata/candlerow/?instrument__id__exact={instrument}",
    "Admin candle": "/admin/marketdata/candlerow/{instrument}-1-{noon}/change/",
    "Admin trades": "/admin/marketdata/traderow/",
    "Admin trades of one": "/admin/marketdata/traderow/?instrument__id__exact={instrument}",
    "Admin trade": "/admin/marketdata/traderow/{instrument}-{trade}-1/change/",
    "Admin instruments": "/admin/marketdata/instrument/",
    "Admin gaps": "/admin/marketdata/datagap/",
    "Health": "/health/ready",
    "Health: status": "/health/status",
}

REQUESTS = MARKETS | STRATEGIES | BACKTESTS | BOTS | COMMON

# What is asked for by POST and looks at candles before it is answered.
_RUN = {
    "strategy": "ema_crossover",
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "timeframe": "1h",
    "start": from_ms(START_MS).isoformat(),
    "end": from_ms(END_MS).isoformat(),
}
ORDERS = {
    "API backtests: ordered": ("/api/v1/backtests/", _RUN | {"parameters": {"fast": 3, "slow": 9}}),
    "API searches: ordered": (
        "/api/v1/searches/",
        _RUN | {"space": {"fast": {"values": [3, 4]}, "slow": {"values": [8, 9]}}},
    ),
    "Backtest: again": ("/backtests/{backtest}/again", {}),
    "API bot: parity ordered": ("/api/v1/bots/{bot}/parity/", {}),
    "API bot: started": ("/api/v1/bots/{stopped}/start/", {}),
}

# Redirects, what asks the database nothing, and what is there to answer everything else.
ELSEWHERE = {"home", "chart-last", "login", "health:live", "api:schema", "api:docs", "api:"}
