"""Whatever stands in an address is answered: never by a server error."""

from __future__ import annotations

import itertools

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.marketdata.api.conftest import make_instrument

pytestmark = pytest.mark.django_db

NUL, SURROGATE = "%00", "%ED%A0%80"
HOSTILE = [
    "",
    NUL,
    f"BTC{NUL}-USDT",
    "\x00",
    SURROGATE,
    "%FF%FE",
    "%F0%9F%92%A9",
    "-1",
    "0",
    "9" * 13,
    "9" * 25,
    "9" * 5000,
    "1e400",
    "NaN",
    "-Infinity",
    "0.0000000000000000000001",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "2026-02-30T25:61:61Z",
    "%D9%A3",
    "'; drop table x --",
    "%25s%25(x)s{0}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
]
PARAMETERS = {
    "/api/v1/instruments/": ["exchange", "kind", "is_enabled", "search", "cursor", "page_size"],
    "/api/v1/candles/": ["exchange", "symbol", "start", "end", "timeframe", "limit", "max_points"],
    "/api/v1/trades/": ["exchange", "symbol", "start", "end", "after_id", "limit"],
    "/api/v1/collectors/": ["page", "format"],
    "/markets/": ["exchange", "q", "show", "page"],
    "/chart/": ["x"],
    "/chart/okx-sim/BTC-USDT/1m/": ["start", "end", "indicators"],
    "/chart/okx-sim/BTC-USDT/1m/window": ["start", "end", "points", "indicators"],
    "/chart/okx-sim/BTC-USDT/1m/figure": ["start", "end", "points", "indicators"],
    "/chart/okx-sim/BTC-USDT/1m/export": ["start", "end", "points", "indicators", "format"],
    "/login/": ["next"],
    "/health/ready": ["x"],
    "/health/status": ["x"],
}
USUAL = {
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "start": "1763769600000",
    "end": "1763773200000",
}
PATHS = [
    "/api/v1/instruments/{}/{}/",
    "/api/v1/collectors/{}/",
    "/api/{}",
    "/chart/{}/{}/1m/",
    "/chart/okx-sim/BTC-USDT/{}/",
    "/chart/okx-sim/BTC-USDT/{}/window",
    "/{}",
]


@pytest.fixture
def browser():
    client = Client(raise_request_exception=False)
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    make_instrument("BTC-USDT")
    return client


def changelists():
    """Return the address of each list in the admin, and whether it can be searched."""
    for model, shown in admin.site._registry.items():
        searches = type(shown).get_search_results is not admin.ModelAdmin.get_search_results
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield path, searches or bool(shown.search_fields)


def answer(browser, path, query=""):
    return browser.generic("GET", path, QUERY_STRING=query).status_code


@pytest.mark.parametrize("path", PARAMETERS)
def test_no_parameter_of_a_page_or_endpoint_breaks_it(browser, path):
    broken = []
    for name, value in itertools.product(PARAMETERS[path], HOSTILE):
        others = {k: v for k, v in USUAL.items() if k in PARAMETERS[path] and k != name}
        query = "&".join([f"{name}={value}", *(f"{k}={v}" for k, v in others.items())])
        status = answer(browser, path, query)
        if status >= 500 or (NUL in value and status != 400):
            broken.append((name, value[:40], status))
    assert broken == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_search_filter_or_page_of_the_admin_breaks_it(browser):
    broken = []
    for path, is_searched in changelists():
        # What is searched nowhere is looked at by one and the same form.
        asked = [("q", value) for value in (HOSTILE if is_searched else (NUL, SURROGATE))]
        asked += itertools.product(
            ["p", "o", "id", "instrument__id__exact"], [NUL, SURROGATE, "9" * 25, "-1", "NaN"]
        )
        for name, value in asked:
            if (status := answer(browser, path, f"{name}={value}")) >= 500:
                broken.append((path, name, value[:40], status))
    assert broken == []


@pytest.mark.parametrize("path", PATHS)
def test_no_part_of_an_address_breaks_it(browser, path):
    broken = [
        (value[:40], status)
        for value in HOSTILE
        if (status := answer(browser, path.replace("{}", value.replace("\x00", NUL)))) >= 500
    ]
    assert broken == []


@pytest.mark.parametrize("text", ["\\000abcdefghijk", "%00", "x" * 5000, "\x80\xff"])
def test_no_cookie_breaks_a_page(text):
    client = Client(raise_request_exception=False)
    for name in ("sessionid", "csrftoken", "tcpd_indicators"):
        status = client.get("/login/", headers={"cookie": f'{name}="{text}"'}).status_code
        assert status in (200, 400), name


@pytest.mark.parametrize("day", ["9999-12-31", "2026-02-30", "yesterday"])
def test_a_day_that_cannot_be_searched_is_an_empty_list_with_a_message(browser, day):
    page = browser.get(reverse("admin:marketdata_candlerow_changelist"), {"q": day})
    assert page.status_code == 200
    assert f"Expected a day such as 2026-01-31, was &#x27;{day}&#x27;" in page.content.decode()


def test_a_nul_is_refused_in_words(browser):
    page = browser.get("/markets/?q=%00")
    endpoint = browser.get("/api/v1/instruments/?search=%00")
    assert (page.status_code, endpoint.status_code) == (400, 400)
    assert "holds a NUL character" in page.content.decode()
    assert "Content-Security-Policy" in page.headers
    assert endpoint["Content-Type"] == "application/problem+json"
    assert "holds a NUL character" in endpoint.json()["detail"]


@pytest.mark.parametrize(
    "body", [rb'{"x": "\ud800"}', b"NaN", b"{", b"\xff\xfe", b"[" * 2000, b"1" * 5000, b"\0"]
)
def test_no_body_breaks_an_endpoint(browser, body):
    for path in ("/api/v1/instruments/okx-sim/BTC-USDT/disable/", "/api/v1/instruments/"):
        answer = browser.post(path, body, content_type="application/json")
        assert answer.status_code < 500


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=st.binary(min_size=1, max_size=12), where=st.sampled_from(sorted(PARAMETERS)))
def test_no_bytes_break_anything(browser, text, where):
    escaped = "".join(f"%{byte:02X}" for byte in text)
    query = "&".join(f"{name}={escaped}" for name in PARAMETERS[where])
    assert answer(browser, where, query) < 500
