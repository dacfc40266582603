"""Pages, API and probes while the database does not answer."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client


@pytest.fixture
def person(transactional_db):
    """A browser with a session, that gets answers instead of exceptions."""
    browser = Client(raise_request_exception=False)
    browser.force_login(get_user_model().objects.create_user("ann"))
    return browser


@pytest.fixture
def no_database(person):
    """Let every connection of this process go to a port at which nothing answers."""
    connection.close()
    before = dict(connection.settings_dict)
    connection.settings_dict.update(HOST="127.0.0.1", PORT="1")
    yield
    connection.close()
    connection.settings_dict.update(before)


@pytest.mark.parametrize("page", ["/markets/", "/admin/"])
def test_a_page_says_that_the_database_is_away(person, no_database, page):
    answer = person.get(page)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "The database does not answer" in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


def test_the_api_says_so_as_a_problem(person, no_database):
    answer = person.get("/api/v1/instruments/")
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Retry-After"] == "5"
    assert "database does not answer" in answer.json()["detail"]


def test_probes_with_a_session_are_answered_too(person, no_database):
    assert person.get("/health/live").status_code == 200
    ready = person.get("/health/ready")
    assert ready.status_code == 503
    assert "database" in ready.json()["reasons"]
