"""The list of backtests, and comparing some of them."""

from __future__ import annotations

import pytest

from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import request_backtest
from backtests.storage.results import read_run
from backtests.views import listing, pairs
from tests.backtests.conftest import ASKED
from tests.backtests.web.conftest import finished


def listed(client, **query):
    html = client.get("/backtests/list", query).content.decode()
    return [int(part.split('"')[0]) for part in html.split('data-backtest="')[1:]]


def test_an_empty_list_leads_to_the_first_backtest(trader):
    html = trader.get("/backtests/").content.decode()
    assert "No backtest yet" in html
    assert 'href="/backtests/new/"' in html


def test_the_newest_come_first_with_what_they_came_to(btc, ann, trader):
    first = finished(ann)
    second = request_backtest(BacktestRequest(**ASKED), ann)
    assert listed(trader) == [second.pk, first.pk]
    html = trader.get("/backtests/").content.decode()
    assert f'data-topic="job:{ann.pk}:{second.job_id}"' in html
    assert html.count('name="id"') == 1
    assert 'aria-current="page">Backtests</a>' in html


def test_the_list_is_narrowed(btc, ann, trader):
    tagged = finished(ann, tags=("night", "good"))
    slow = finished(ann, timeframe="15m", strategy="macd", parameters={})
    waiting = request_backtest(BacktestRequest(**ASKED), ann, notes="a long try")
    assert listed(trader, tag="night") == [tagged.pk]
    assert listed(trader, strategy="macd") == [slow.pk]
    assert listed(trader, timeframe="15m") == [slow.pk]
    assert listed(trader, state="done") == [slow.pk, tagged.pk]
    assert listed(trader, state="running") == [waiting.pk]
    assert listed(trader, q="LONG") == [waiting.pk]
    assert listed(trader, symbol="ETH-USDT") == []
    assert "No backtest is like this" in trader.get("/backtests/", {"tag": "x"}).content.decode()


def test_older_ones_are_on_further_pages(btc, ann, trader, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    made = [request_backtest(BacktestRequest(**ASKED), ann).pk for _ in range(5)]
    assert listed(trader) == made[:2:-1]
    assert f"before={made[3]}" in trader.get("/backtests/").content.decode()
    assert listed(trader, before=made[3]) == made[2:0:-1]
    assert listed(trader, before=made[1]) == [made[0]]
    assert listed(trader, before="x") == made[:2:-1]


def test_others_backtests_are_not_listed_but_to_staff(done, stranger, staff):
    assert listed(stranger) == []
    assert listed(staff) == [done.pk]


def test_the_list_asks_the_database_as_often_for_many(
    btc, ann, trader, django_assert_max_num_queries
):
    for _ in range(4):
        request_backtest(BacktestRequest(**ASKED), ann)
    with django_assert_max_num_queries(5):
        trader.get("/backtests/list")


@pytest.fixture
def two(btc, ann):
    return finished(ann), finished(ann, parameters={"fast": 5, "slow": 20})


def compare(client, *runs, **query):
    asked = {"id": [one.pk for one in runs], **query}
    return client.get("/backtests/compare/", asked)


def test_two_runs_stand_beside_each_other(two, trader):
    first, second = two
    html = compare(trader, first, second).content.decode()
    assert f"{first.pk} · EMA crossover" in html
    assert html.count('class="best"') > 5
    assert '<tr class="setting"><th scope="row">Fast</th>' in html
    assert '<th scope="row">Timeframe</th>' not in html
    left, right = read_run(first).trips, read_run(second).trips
    starts = set(left["entry_ms"].tolist()), set(right["entry_ms"].tolist())
    assert f'data-count="left">{len(starts[0] - starts[1])}<' in html
    assert f'data-count="right">{len(starts[1] - starts[0])}<' in html


def test_a_run_and_its_like_make_the_same_trades(two, ann, trader):
    first = two[0]
    again = finished(ann)
    html = compare(trader, first, again).content.decode()
    assert "Both made exactly the same round trips." in html
    assert f'data-count="same">{len(read_run(first).trips)}<' in html


def test_the_curves_begin_at_the_initial_balance(two, trader):
    context = compare(trader, *two).context
    assert [curve["value"][0] for curve in context["curves"]] == [1.0, 1.0]
    ends = [curve["value"][-1] - 1 for curve in context["curves"]]
    assert ends == pytest.approx([one.metrics["total_return"] for one in two])


def test_which_two_are_paired_may_be_chosen(two, ann, trader):
    third = finished(ann, parameters={"fast": 4, "slow": 12})
    context = compare(trader, *two, third, left=third.pk, right=two[0].pk).context
    assert (context["left"].pk, context["right"].pk) == (third.pk, two[0].pk)


def test_all_trips_that_differ_are_on_its_pages(two, trader, monkeypatch):
    monkeypatch.setattr(pairs, "PAGE", 3)
    first = compare(trader, *two).context
    differing = sum(first["counts"].values()) - first["counts"]["same"]
    assert first["page"].count == -(-differing // 3) > 2
    found = [
        row["entry"]
        for page in range(1, first["page"].count + 1)
        for row in compare(trader, *two, page=page).context["pairs"]
    ]
    assert len(found) == differing
    assert found == sorted(found)
    html = compare(trader, *two, page=2).content.decode()
    assert f"?id={two[0].pk}&amp;id={two[1].pk}&amp;page=3#pairs" in html
    assert compare(trader, *two, page="x").context["page"].number == 1


def test_settings_that_differ_are_told_as_people_wrote_them(two, ann, trader):
    stopped = finished(ann, trading={"stop_loss": "0.02"})
    html = compare(trader, two[0], stopped).content.decode()
    assert '<th scope="row">Stop-loss, %</th>' in html
    assert '<td class="num muted">2</td>' in html


@pytest.mark.parametrize("query", ["", "?id=x", "?id=999999", "?id=1&id=" + "9" * 40])
def test_nothing_to_compare_says_how(trader, query):
    answer = trader.get(f"/backtests/compare/{query}")
    assert answer.status_code == 200
    assert "Nothing to compare" in answer.content.decode()


def test_others_runs_cannot_be_compared(two, stranger):
    assert "Nothing to compare" in compare(stranger, *two).content.decode()


def test_a_lost_file_leaves_figures_to_compare(two, trader):
    Backtest.objects.filter(pk=two[0].pk).update(artefact="backtests/00/none.npz")
    html = compare(trader, *two).content.decode()
    assert 'id="gone"' in html
    assert "Max drawdown" in html
