"""A file that is imported by command and backtested by command comes to what the file says."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from backtests.domain.settings import Trading
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.loading.candle_files import parse_candles
from tests.backtests.conftest import wave
from tests.backtests.real_year import SPEC, run_over

COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume")
RUNS = {"ema_crossover": Timeframe.M15, "macd": Timeframe.H1, "rsi": Timeframe.M1}
SIZES = (f"--tick-size={SPEC.tick_size}", f"--lot-size={SPEC.lot_size}")


@pytest.fixture
def made_up(tmp_path):
    """Three days with a gap and rests, as a file."""
    candles = np.delete(wave(3 * 1440), np.s_[2000:2030])
    candles["volume"][::50] = 0
    lines = (",".join(str(row[name]) for name in COLUMNS) for row in candles)
    path = tmp_path / "made-up.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]))
    return path


@pytest.fixture
def recorded(shared_data):
    """A month of BTCUSDT during which the exchange stood still for an hour and a half."""
    return shared_data / "candles" / "BTCUSDT-1m-2023-03_with_outage.csv.gz"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["made_up", "recorded"])
def test_stored_candles_come_to_what_the_file_itself_comes_to(name, request):
    path = request.getfixturevalue(name)
    where = ("--exchange=okx", "--symbol=BTC-USDT")
    call_command("import_candles", path, *where, "--timeframe=1m", *SIZES, stdout=StringIO())
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    candles = parse_candles(text.decode()).candles
    first_ms, last_ms = candles["open_time_ms"][[0, -1]].tolist()
    assert len(candles) * MINUTE_MS < last_ms + MINUTE_MS - first_ms, "minutes are missing"
    span = f"--start={told(first_ms)}", f"--end={told(last_ms + MINUTE_MS)}"
    for key, timeframe in RUNS.items():
        out = StringIO()
        asked = (f"--strategy={key}", *where, f"--timeframe={timeframe}", *span, "--json")
        call_command("run_backtest", *asked, stdout=out)
        answer = json.loads(out.getvalue())
        expected = run_over(candles, key, timeframe, Trading())
        assert len(expected.fills) > 5, key
        assert answer["result_hash"] == expected.digest, key
        assert answer["metrics"] == expected.metrics(), key
        call_command("rerun_backtest", answer["id"], stdout=StringIO())


def told(time_ms):
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
