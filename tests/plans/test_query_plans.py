"""No page and no endpoint reads candles or trades from end to end; docs/data-model.md lists how."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import partial

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.urls import URLPattern, get_resolver

from tests.backtests.conftest import _own_folder
from tests.marketdata.web.conftest import client_of
from tests.people import make_staff
from tests.plans.access import Access, accesses, plans_of_statements
from tests.plans.requests import ELSEWHERE, ORDERS, REQUESTS
from tests.plans.rows import store

__all__ = ["_own_folder"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.django_db]

JSON = "application/json"
GIVEN = {200, 201, 202, 302}
BULK = ("marketdata_candle", "marketdata_trade", "marketdata_candleday")


@pytest.fixture(scope="module", autouse=True)
def _tidied(django_db_setup, django_db_blocker):
    """Begin with empty files, and leave them empty: a way is judged by how many pages it has.

    Vacuuming would leave the indexes as long as earlier tests, which commit nothing, made them.
    Nobody else analyses meanwhile: to them the rows of a test are none.
    """
    _tidy(django_db_blocker, "set (autovacuum_enabled = false)")
    yield
    _tidy(django_db_blocker, "reset (autovacuum_enabled)")


def _tidy(blocker, setting):
    with blocker.unblock(), connection.cursor() as cursor:
        # Whoever tidies up there already gives way, as soon as the server notices.
        cursor.execute("set lock_timeout = '60s'")
        for table in BULK:
            cursor.execute(f"alter table {table} {setting}")
        cursor.execute(f"truncate {', '.join(BULK)}")
        cursor.execute("vacuum (analyze)")
        cursor.execute("reset lock_timeout")


DOCUMENT = settings.BASE_DIR / "docs" / "data-model.md"


@pytest.fixture(autouse=True)
def _settings(settings):
    # Within a test's transaction another session, that of the renewal, finds no job: it waits.
    settings.JOB_RENEW_SECONDS = 600
    # A backfill of the simulated exchange is only taken where that is what is asked.
    settings.OKX_REST_URL = "http://127.0.0.1:1"


def test_no_request_reads_candles_or_trades_from_end_to_end(db):
    ada = make_staff()
    rows = store(ada)
    assert accesses_of_a_sum() == {Access("marketdata_candle", by_key=False, is_whole=True)}

    found, staff = {}, client_of(ada)
    for name, address in REQUESTS.items():
        found[name] = ways_of(name, lambda: staff.get(address.format(**rows)))  # noqa: B023
    for name, (address, asked) in ORDERS.items():
        post = partial(staff.post, address.format(**rows), asked, content_type=JSON)
        found[name] = ways_of(name, post)

    whole = [name for name, ways in found.items() if any(way.is_whole for way in ways)]
    assert whole == []
    expected = listing(found)
    assert documented() == expected, f"put this into {DOCUMENT.name}:\n\n{expected}"


def ways_of(name, ask):
    """Return the ways into the bulk tables that an answer takes, to its last byte."""
    # What somebody asked for before is kept beside the database: not for the first who asks.
    cache.clear()
    shutil.rmtree(settings.VAR_DIR / "columns", ignore_errors=True)
    with plans_of_statements() as told:
        answer = ask()
        said = b"".join(answer) if answer.streaming else answer.content
    assert answer.status_code in GIVEN, (name, answer.status_code, said[:300])
    assert told, f"{name} asked the database nothing: its statements were not seen"
    return accesses(told)


def test_every_address_that_answers_is_asked(db):
    staff = client_of(make_staff())
    paths = [*REQUESTS.values(), *(address for address, _ in ORDERS.values())]
    filled = [re.sub(r"\{\w+\}", "1", path).partition("?")[0] for path in paths]
    asked = {get_resolver().resolve(path).view_name for path in filled}
    silent = set()
    for name, path in addresses():
        # Those that only take orders refuse before they look at what is named.
        if staff.get(path).status_code == 405:
            silent.add(name)
    assert silent, "no address was found that only takes orders"
    names = {name for name, _ in addresses()}
    assert names - asked - silent == ELSEWHERE


def addresses(resolver=None, spaces=(), before="/"):
    """Yield name and path of every address of the site but the admin's, its parts filled in."""
    for each in (resolver or get_resolver()).url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield ":".join([*spaces, each.name or ""]), filled_in(route)
        elif each.namespace != "admin":
            yield from addresses(each, [*spaces, *filter(None, [each.namespace])], route)


def filled_in(route):
    """Return a route with 1 for each of its parts, or what else it allows."""
    route = re.sub(r"\(\?P<\w+>(\w+)\|[^()]*\)", r"\1", route)
    route = re.sub(r"\(\?P<\w+>[^()]*\)|<\w+:\w+>", "1", route)
    return re.sub(r"[\^$\\]", "", route)


def accesses_of_a_sum():
    with plans_of_statements() as told, connection.cursor() as cursor:
        cursor.execute("select sum(volume) from marketdata_candle where close > 0")
    return accesses(told)


def listing(found: dict[str, set[Access]]) -> str:
    return "\n".join(_rows(found))


def _rows(found: dict[str, set[Access]]) -> Iterator[str]:
    yield "| asked by | ways into candles and trades |"
    yield "|---|---|"
    for name, ways in found.items():
        if ways:
            yield f"| {name} | {'; '.join(str(way) for way in sorted(ways))} |"
    without = [name for name, ways in found.items() if not ways]
    yield f"| {', '.join(without)} | neither |"


def documented() -> str:
    found = re.search(r"<!-- plans -->\n(.*?)\n?<!-- end -->", DOCUMENT.read_text(), re.DOTALL)
    return found[1] if found else ""
