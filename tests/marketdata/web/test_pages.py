"""What every page has in common: logging in, errors, the banner, headers, vendored files."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.template.loader import render_to_string
from django.test import Client
from django.urls import path

from tcpdashboard.common.templatetags.json_blocks import json_block
from tcpdashboard.common.templatetags.numbers import compact, direction, percent, price

BANNER = "Simulated data."
PAGES = ["/markets/", "/chart/okx-sim/BTC-USDT/15m/"]


FAILURES = {
    400: SuspiciousOperation("odd"),
    403: PermissionDenied("no"),
    404: Http404("nothing"),
    500: ZeroDivisionError("broken"),
}


@login_not_required
def fail(request, status):
    """Answer with the page of an error."""
    raise FAILURES[status]


urlpatterns = [path("<int:status>/", fail)]


@pytest.fixture
def person(db):
    return get_user_model().objects.create_user("ann", password="a long password")


def test_the_front_page_is_the_markets_page(reader):
    assert reader.get("/")["Location"] == "/markets/"


def test_logging_in_leads_to_the_page_that_was_asked_for(client, person):
    answer = client.get("/markets/", follow=True)
    assert answer.redirect_chain == [("/login/?next=/markets/", 302)]
    fields = {"username": "ann", "password": "a long password", "next": "/markets/"}
    assert client.post("/login/", fields)["Location"] == "/markets/"


def test_a_wrong_password_is_told_without_saying_which_half_is_wrong(client, person):
    answer = client.post("/login/", {"username": "ann", "password": "nope"})
    assert "That name and password do not go together" in answer.content.decode()


def test_logging_in_never_leads_to_another_site(client, person):
    fields = {"username": "ann", "password": "a long password", "next": "https://elsewhere.example"}
    assert client.post("/login/", fields)["Location"] == "/markets/"


def test_logging_out_takes_a_form_and_not_a_link(reader):
    assert reader.get("/logout/").status_code == 405
    assert reader.post("/logout/")["Location"] == "/login/"
    assert reader.get("/markets/").status_code == 302


@pytest.mark.parametrize("address", [*PAGES, "/api/v1/docs/"])
def test_simulated_data_is_announced_on_every_page(reader, btc, settings, address):
    settings.EXCHANGE = "okx-sim"
    assert BANNER in reader.get(address).content.decode()


@pytest.mark.parametrize("address", ["/login/", "/nowhere/", "/admin/login/"])
def test_simulated_data_is_announced_to_strangers(client, db, settings, address):
    settings.EXCHANGE = "okx-sim"
    assert BANNER in client.get(address).content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/admin/",
        "/admin/marketdata/",
        "/admin/marketdata/instrument/",
        "/admin/marketdata/instrument/1/history/",
        "/admin/auth/user/add/",
        "/admin/auth/user/add/?_popup=1",
        "/admin/password_change/",
    ],
)
def test_simulated_data_is_announced_once_on_pages_of_the_administration(
    admin_client, btc, settings, address
):
    settings.EXCHANGE = "okx-sim"
    address = address.replace("/1/", f"/{btc.pk}/")
    assert admin_client.get(address).content.decode().count(BANNER) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_simulated_data_is_announced_where_a_view_fails_without_a_database(settings, status):
    settings.EXCHANGE = "okx-sim"
    settings.ROOT_URLCONF = __name__
    # No `db`: a page of an error that asked it would fail here.
    client = Client(raise_request_exception=False)
    answer = client.get(f"/{status}/")
    assert answer.status_code == status
    content = answer.content.decode()
    assert BANNER in content
    assert "<h1>" in content


def test_the_announcement_stands_on_an_expired_form_and_a_foreign_host(client, db, settings):
    settings.EXCHANGE = "okx-sim"
    strict = Client(enforce_csrf_checks=True)
    assert BANNER in strict.post("/login/", {"username": "ann"}).content.decode()
    foreign = client.get("/markets/", headers={"Host": "elsewhere.example"})
    assert foreign.status_code == 400
    assert BANNER in foreign.content.decode()


def test_real_data_has_no_banner_but_charts_of_simulated_data_have(reader, btc, settings):
    settings.EXCHANGE = "okx"
    assert BANNER not in reader.get("/markets/").content.decode()
    assert BANNER in reader.get(PAGES[1]).content.decode()


def test_an_unknown_page_says_where_to_go(client, db):
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert 'href="/markets/"' in answer.content.decode()


@pytest.mark.parametrize(
    "template", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"]
)
def test_error_pages_stand_without_anything_else(template):
    content = render_to_string(template)
    assert "<h1>" in content
    assert "{%" not in content


def test_an_expired_form_says_what_to_do(person):
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/login/", {"username": "ann", "password": "a long password"})
    assert answer.status_code == 403
    assert "load the page again" in answer.content.decode()


@pytest.mark.parametrize("address", [*PAGES, "/login/", "/nowhere/"])
def test_pages_run_no_inline_code_and_load_nothing_from_elsewhere(reader, btc, address):
    answer = reader.get(address)
    content = answer.content.decode()
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "default-src 'self'" in policy
    for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", content, re.DOTALL):
        assert "src=" in attributes or 'type="application/json"' in attributes
        assert "src=" not in attributes or not body.strip()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", content)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", content)


def test_data_for_scripts_cannot_end_its_block():
    block = json_block({"name": "</script><script>alert(1)</script>&"}, "it")
    assert block.count("</script>") == 1
    assert "&" not in block


def test_vendored_files_are_the_recorded_ones():
    script = project.BASE_DIR / "scripts" / "vendor.py"
    done = subprocess.run([sys.executable, script, "check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (price(64703.1, 1), "64,703.1"),
        (price(0.12, 5), "0.12000"),
        (price(-3.5, 1), "\N{MINUS SIGN}3.5"),
        (price(None), "\N{EN DASH}"),
        (percent(0.0123), "+1.23%"),
        (percent(-0.5), "\N{MINUS SIGN}50.00%"),
        (percent(-0.00001), "+0.00%"),
        (percent(None), "\N{EN DASH}"),
        (compact(1_234_567), "1.23\N{NARROW NO-BREAK SPACE}M"),
        (compact(64_700), "64.7\N{NARROW NO-BREAK SPACE}K"),
        (compact(999), "999"),
        (compact(5.25), "5.25"),
        (compact(None), "\N{EN DASH}"),
        (direction(0.01), "up"),
        (direction(-0.01), "down"),
        (direction(0.00001), ""),
        (direction(None), ""),
    ],
)
def test_numbers_are_written_for_people(shown, expected):
    assert shown == expected
