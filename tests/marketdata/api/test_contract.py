"""The whole of /api/: its schema, its page, its errors and its limit."""

from __future__ import annotations

import json
import re

import pytest
from django.core.management import call_command
from openapi_spec_validator import validate

URL = "/api/v1/"


@pytest.fixture
def schema(reader):
    return reader.get(f"{URL}schema/", {"format": "json"}).json()


def test_the_schema_is_valid_and_lists_every_endpoint(schema):
    validate(schema)
    assert set(schema["paths"]) == {
        "/api/v1/alert-channels/",
        "/api/v1/alert-channels/{id}/",
        "/api/v1/alert-channels/{id}/deliveries/",
        "/api/v1/alert-channels/{id}/test/",
        "/api/v1/alerts/",
        "/api/v1/alerts/acknowledge/",
        "/api/v1/alerts/counts/",
        "/api/v1/alerts/{id}/",
        "/api/v1/alerts/{id}/acknowledge/",
        "/api/v1/backfills/",
        "/api/v1/backfills/{id}/",
        "/api/v1/backtests/",
        "/api/v1/backtests/{id}/",
        "/api/v1/backtests/{id}/archive/",
        "/api/v1/backtests/{id}/cancel/",
        "/api/v1/backtests/{id}/equity/",
        "/api/v1/backtests/{id}/export/",
        "/api/v1/backtests/{id}/fills/",
        "/api/v1/backtests/{id}/report/",
        "/api/v1/backtests/{id}/result/",
        "/api/v1/bot-limits/",
        "/api/v1/bot-verdicts/",
        "/api/v1/bot-verdicts/{id}/",
        "/api/v1/bot-verdicts/{id}/lift/",
        "/api/v1/bots/",
        "/api/v1/bots/bulk/",
        "/api/v1/bots/kill/",
        "/api/v1/bots/{id}/",
        "/api/v1/bots/{id}/clone/",
        "/api/v1/bots/{id}/commands/",
        "/api/v1/bots/{id}/equity/",
        "/api/v1/bots/{id}/events/",
        "/api/v1/bots/{id}/export/{kind}.{suffix}",
        "/api/v1/bots/{id}/fills/",
        "/api/v1/bots/{id}/flatten/",
        "/api/v1/bots/{id}/ledger/",
        "/api/v1/bots/{id}/orders/",
        "/api/v1/bots/{id}/parity/",
        "/api/v1/bots/{id}/pause/",
        "/api/v1/bots/{id}/reset/",
        "/api/v1/bots/{id}/resume/",
        "/api/v1/bots/{id}/round-trips/",
        "/api/v1/bots/{id}/runs/",
        "/api/v1/bots/{id}/signals/",
        "/api/v1/bots/{id}/start/",
        "/api/v1/bots/{id}/stop/",
        "/api/v1/candles/",
        "/api/v1/collectors/",
        "/api/v1/collectors/{name}/",
        "/api/v1/collectors/{name}/restart/",
        "/api/v1/collectors/{name}/start/",
        "/api/v1/collectors/{name}/stop/",
        "/api/v1/gaps/",
        "/api/v1/gaps/{id}/",
        "/api/v1/gaps/{id}/repair/",
        "/api/v1/instruments/",
        "/api/v1/instruments/{exchange}/{symbol}/",
        "/api/v1/instruments/{exchange}/{symbol}/disable/",
        "/api/v1/instruments/{exchange}/{symbol}/enable/",
        "/api/v1/integrity/",
        "/api/v1/jobs/",
        "/api/v1/jobs/{id}/",
        "/api/v1/jobs/{id}/cancel/",
        "/api/v1/jobs/{id}/pause/",
        "/api/v1/jobs/{id}/resume/",
        "/api/v1/portfolio/",
        "/api/v1/raw/",
        "/api/v1/searches/",
        "/api/v1/searches/{id}/",
        "/api/v1/searches/{id}/cancel/",
        "/api/v1/searches/{id}/columns/",
        "/api/v1/searches/{id}/export/",
        "/api/v1/searches/{id}/heat/",
        "/api/v1/searches/{id}/pause/",
        "/api/v1/searches/{id}/resume/",
        "/api/v1/searches/{id}/trials/",
        "/api/v1/strategies/",
        "/api/v1/strategies/{key}/",
        "/api/v1/strategy-configs/",
        "/api/v1/strategy-configs/{id}/",
        "/api/v1/strategy-configs/{id}/check/",
        "/api/v1/strategy-configs/{id}/versions/",
        "/api/v1/trades/",
    }


def test_every_operation_says_what_it_does_and_how_it_refuses(schema):
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert operation["description"]
            refusal = operation["responses"]["403"]["content"]["application/problem+json"]
            assert refusal["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_the_schema_is_made_without_a_warning(capsys, tmp_path):
    file = tmp_path / "schema.json"
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", file=str(file)
    )
    assert json.loads(file.read_text())["openapi"].startswith("3.")


def test_the_page_that_explains_the_endpoints_loads_nothing_from_elsewhere(reader):
    page = reader.get(f"{URL}docs/")
    assert page.status_code == 200
    assert "swagger-ui" in page.content.decode()
    assert "https://" not in page.content.decode()
    # The Content-Security-Policy lets no script run that stands in the page itself.
    scripts = re.findall(r"<script(.*?)>(.*?)</script>", page.content.decode(), re.DOTALL)
    assert len(scripts) >= 3
    assert all("src=" in attributes and not text.strip() for attributes, text in scripts)


def test_schema_and_page_need_a_login(client, db):
    assert client.get(f"{URL}schema/").status_code == 403
    assert client.get(f"{URL}docs/").status_code == 403


def test_an_unknown_address_is_answered_as_rest(reader):
    answer = reader.get(f"{URL}candels/")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == (
        "nothing is served at /api/v1/candels/; /api/v1/docs/ lists what is"
    )


def test_too_many_requests_are_told_when_to_come_back(reader, monkeypatch):
    from tcpdashboard.common.rest import PersonThrottle

    monkeypatch.setattr(PersonThrottle, "THROTTLE_RATES", {"user": "2/min"})
    answers = [reader.get(f"{URL}collectors/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert answers[2].json()["title"] == "Too Many Requests"


def test_malformed_json_is_refused_as_such(staff):
    answer = staff.post(f"{URL}collectors/nobody/stop/", data="{", content_type="application/json")
    assert answer.status_code in (400, 404)
    assert answer["Content-Type"] == "application/problem+json"
