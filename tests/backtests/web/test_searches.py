"""The pages of searches: asked for, followed, and everything that came out."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from backtests.charts.numbers import percent
from backtests.models import Search
from backtests.searches import found_search, request_search
from backtests.searching.asking import SearchRequest
from backtests.views.searches import page as views
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.backtests.search.conftest import GRID
from tests.backtests.web.conftest import FORM as BACKTEST
from tests.marketdata.web.conftest import client_of
from tests.people import make_staff

URL = "/backtests/searches/"
FORM = {
    **{name: value for name, value in BACKTEST.items() if name != "config"},
    "space.fast.min": "3",
    "space.fast.max": "6",
    "space.slow.min": "8",
    "space.slow.max": "12",
    "space.slow.step": "2",
    "method": "grid",
    "objective": "total_return",
    "validation.kind": "none",
}


def asked(owner, **changes):
    return request_search(SearchRequest(**{**GRID, **changes}), owner)


def done(search):
    assert run_job(search.jobs.order_by("pk").first().pk) == "done"
    return Search.objects.get(pk=search.pk)


@pytest.fixture
def tested(btc, ann):
    """A finished search of ann's, the last quarter of its range kept for the test."""
    return done(asked(ann, validation={"kind": "holdout", "share": 0.25}))


def page(client, search, query=""):
    answer = client.get(f"{URL}{search.pk}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_form_asks_for_a_search(btc, trader):
    answer = trader.post(f"{URL}new/", FORM | {"space.sides.each": ""})
    search = Search.objects.get()
    assert answer.url == f"{URL}{search.pk}/"
    assert search.owner.username == "ann"
    assert [axis["name"] for axis in search.space] == ["fast", "slow"]
    assert (search.total, search.parameters) == (12, {"sides": "long"})
    assert (search.method, search.objective, search.validation) == ("grid", "total_return", "none")


def test_how_the_best_are_tested_is_asked_for(btc, trader):
    told = {"validation.kind": "holdout", "validation.share": "40", "validation.train_days": "3"}
    trader.post(f"{URL}new/", FORM | told)
    search = Search.objects.get()
    (window,) = search.windows
    start, split = window["train"]
    assert (split - start) / (window["test"][1] - start) == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"space.fast.min": "x"}, "space.fast.min", "expected"),
        ({"space.fast.min": "0"}, "space.fast.min", "1 to 400"),
        ({"space.fast.max": "2"}, "space.fast.min", "expected"),
        ({"method": "random", "count": "0"}, "count", "greater than or equal to 1"),
        ({"method": "grid", "count": "5"}, "count", "leave it out"),
        ({"validation.kind": "holdout", "validation.share": "95"}, "validation.share", "90"),
        ({"validation.kind": "walk_forward"}, "validation.train_days", "missing"),
        ({"end": "2025-11-22T06:00"}, "end", "after start"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(btc, trader, changes, name, reason):
    html = trader.post(f"{URL}new/", FORM | changes).content.decode()
    assert f'id="id_{name}_error">' in html
    shown = html.split(f'id="id_{name}_error">')[1].split("<")[0]
    assert reason.lower() in shown.lower()
    assert not Search.objects.exists()


def test_a_billion_combinations_are_refused_and_what_was_typed_is_kept(btc, trader):
    wide = {"params.sides": "both", "space.fast.min": "1", "space.fast.max": "400"}
    most = {"space.slow.min": "2", "space.slow.max": "500", "space.slow.step": "1"}
    html = trader.post(f"{URL}new/", FORM | wide | most).content.decode()
    assert "combinations" in html
    assert 'value="400"' in html
    assert not Search.objects.exists()


def test_what_may_be_tried_follows_the_strategy(btc, trader):
    html = trader.get(f"{URL}new/space", {"strategy": "macd"}).content.decode()
    assert 'name="space.signal.step"' in html
    assert 'name="space.sides.each"' in html


def test_one_that_waits_shows_how_far_it_is_and_may_be_ordered_about(btc, ann, trader):
    search = asked(ann)
    html = page(trader, search)
    assert f'data-topic="search:{ann.pk}:{search.pk}"' in html
    assert f"0 of {search.total} trials" in html
    assert 'data-order="pause"' in html
    assert 'data-order="resume"' not in html


def test_the_best_are_shown_with_what_they_came_to_out_of_sample(tested, trader):
    html = page(trader, tested)
    known = tested.trials.exclude(objective=None)
    best = known.order_by("-objective", "number").first()
    first = html.split("data-trial=")[1]
    assert first.startswith(f'"{best.number}"')
    assert percent(best.objective, signed=True) in first
    assert percent(best.outside["total_return"], signed=True) in first
    assert "Kept out of sample" in html
    assert "Drawdown, 19 of 20 below" in html


def test_trials_are_ordered_and_turned(tested, trader):
    url = f"{URL}{tested.pk}/trials"
    html = trader.get(url, {"order": "number"}).content.decode()
    assert html.index('data-trial="0"') < html.index('data-trial="1"')
    last = trader.get(url, {"page": "99"}).context
    assert (last["page"].number, last["page"].count) == (1, 1)
    assert len(last["trials"]) == last["total_trials"] == tested.done
    assert trader.get(url, {"order": "x", "page": "-1", "window": "7"}).status_code == 200


def test_trials_are_turned_without_scripts_too(tested, trader, monkeypatch):
    monkeypatch.setattr(views, "PAGE", 2)
    html = page(trader, tested, "?order=number")
    assert 'href="?order=number&amp;window=0&amp;page=2#trials"' in html
    second = page(trader, tested, "?order=number&page=2")
    assert second.index('data-trial="2"') < second.index('data-trial="3"')


def test_two_parameters_are_a_table(tested, trader):
    url = f"{URL}{tested.pk}/heat"
    html = trader.get(url).content.decode()
    assert html.count("<td class=") == 4 * 3
    done_trials = tested.trials.filter(state="done")
    assert html.count("heat-9") >= 1
    assert html.count('class="num heat-') == done_trials.count()
    turned = trader.get(url, {"x": "slow", "y": "fast", "metric": "sharpe", "pick": "mean"})
    assert "slow across" in turned.content.decode()


def test_the_table_is_shaded_by_what_the_search_looks_for(btc, ann, trader):
    search = done(asked(ann, direction="min"))
    rows = trader.get(f"{URL}{search.pk}/heat").context["heat"].rows
    best = {cell.text for _, cells in rows for cell in cells if cell.shade == "heat-9"}
    least = min(search.trials.filter(state="done").values_list("objective", flat=True))
    assert best == {percent(least, signed=True)}


def test_a_trial_becomes_a_backtest(tested, trader, stranger):
    trial = tested.trials.filter(state="done").first()
    html = trader.get("/backtests/new/", {"trial": trial.pk}).content.decode()
    assert f'name="params.fast" value="{trial.parameters["fast"]}"' in html
    assert stranger.get("/backtests/new/", {"trial": trial.pk}).status_code == 404


def test_a_walk_forward_shows_its_windows_and_its_tests_put_together(btc, ann, trader):
    first_ms = GRID["start_ms"] - 6 * 3_600_000
    walk = {"kind": "walk_forward", "mode": "rolling", "train_days": 1, "test_days": 1}
    search = done(asked(ann, start_ms=first_ms, validation=walk))
    html = page(trader, search)
    assert 'id="forward-figures"' in html
    assert "2025-11-22 to 2025-11-23" in html
    assert "2025-11-23 to 2025-11-24" in html


def test_searches_are_listed(tested, trader, stranger, staff):
    html = trader.get(URL).content.decode()
    assert f'data-search="{tested.pk}"' in html
    assert f"{tested.total} of {tested.total}" in html
    assert "No search yet" in stranger.get(URL).content.decode()
    assert f'data-search="{tested.pk}"' in staff.get(f"{URL}list").content.decode()


def shown(client, **query):
    """Return the numbers of the searches that the list shows, the newest first."""
    html = client.get(f"{URL}list", query).content.decode()
    return [int(part.split('"')[0]) for part in html.split('data-search="')[1:]]


def test_the_list_is_narrowed_by_what_a_search_is(btc, ann, trader):
    wide = request_search(
        SearchRequest(**{**GRID, "timeframe": "15m"}), ann, tags=("wide",), notes="the first try"
    )
    other = asked(ann, strategy="rsi", space={"period": {"values": [7, 14]}})
    assert shown(trader) == [other.pk, wide.pk]
    assert shown(trader, strategy="rsi") == [other.pk]
    assert shown(trader, timeframe="15m") == [wide.pk]
    assert shown(trader, tag="wide") == shown(trader, q="FIRST") == [wide.pk]
    assert shown(trader, symbol="ETH-USDT") == []
    assert shown(trader, state="nonsense", before=str(other.pk)) == [wide.pk]
    html = trader.get(URL, {"strategy": "macd"}).content.decode()
    assert "No search is like this" in html
    assert '<option value="rsi">' in html


@pytest.mark.parametrize(
    ("jobs", "error", "state"),
    [
        (("queued", "queued"), "", "waiting"),
        (("queued", "running"), "", "running"),
        (("cancelling", "paused"), "", "running"),
        (("done", "failed"), "", "running"),
        (("queued", "paused"), "", "waiting"),
        (("paused", "failed"), "", "paused"),
        (("failed", "cancelled"), "", "failed"),
        (("cancelled", "cancelled"), "candles changed", "failed"),
        (("cancelled", "cancelled"), "", "cancelled"),
    ],
)
def test_the_list_is_narrowed_by_the_state_that_it_shows(
    btc, ann, trader, settings, jobs, error, state
):
    settings.SEARCH_WORKERS = 2
    search = asked(ann, space={"fast": {"min": 1, "max": 100}, "slow": {"min": 101, "max": 120}})
    for job, found in zip(search.jobs.order_by("pk"), jobs, strict=True):
        ended = Now() if found in ("done", "failed", "cancelled") else None
        Job.objects.filter(pk=job.pk).update(state=found, finished_at=ended)
    Search.objects.filter(pk=search.pk).update(error=error)
    assert found_search(search.pk).state == state
    found = [one for one in Search.State.values if shown(trader, state=one) == [search.pk]]
    assert found == [state]


def test_a_finished_one_is_found_by_its_state(tested, trader):
    found = [one for one in Search.State.values if shown(trader, state=one) == [tested.pk]]
    assert found == ["done"]


def test_a_search_is_deleted_from_its_page_but_not_while_it_is_at_work(btc, ann, trader):
    search = asked(ann)
    assert f'action="{URL}{search.pk}/delete"' in page(trader, search)
    first = search.jobs.order_by("pk").first()
    Job.objects.filter(pk=first.pk).update(state=Job.State.RUNNING)
    answer = trader.post(f"{URL}{search.pk}/delete", follow=True)
    assert "is at work: cancel it first." in answer.content.decode()
    Job.objects.filter(pk=first.pk).update(state=Job.State.QUEUED)
    answer = trader.post(f"{URL}{search.pk}/delete", follow=True)
    assert f"Search {search.pk} is deleted." in answer.content.decode()
    assert not Search.objects.exists()
    first.refresh_from_db()
    assert first.state == Job.State.CANCELLED


def test_only_who_may_change_a_search_deletes_it(btc, ann, stranger):
    search, looks = asked(ann), client_of(make_staff("looks", "instrument"))
    assert stranger.post(f"{URL}{search.pk}/delete").status_code == 404
    assert looks.post(f"{URL}{search.pk}/delete").status_code == 403
    assert f"{URL}{search.pk}/delete" not in page(looks, search)
    assert Search.objects.exists()


@pytest.mark.parametrize("path", ["", "trials", "heat"])
def test_others_searches_are_not_found(tested, stranger, staff, path):
    assert stranger.get(f"{URL}{tested.pk}/{path}").status_code == 404
    assert staff.get(f"{URL}{tested.pk}/{path}").status_code == 200
