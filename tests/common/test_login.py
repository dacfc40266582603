"""Passwords cannot be tried without end, on either login page; who knows theirs gets in."""

from __future__ import annotations

import socket

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client, RequestFactory

from tcpdashboard.common.addresses import client_address, is_from_this_machine

pytestmark = pytest.mark.django_db

PASSWORD = "right-Horse-9"
PAGES = ["/login/", "/admin/login/"]


@pytest.fixture(autouse=True)
def _few(settings):
    settings.LOGIN_ATTEMPTS = 3
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture
def person(db):
    return get_user_model().objects.create_superuser("Person", password=PASSWORD)


def try_password(page, password, *, name="Person", address="192.0.2.1"):
    """Return what the login page says: "in", "wrong" or "wait"."""
    answer = Client().post(
        page, {"username": name, "password": password, "next": "/markets/"}, REMOTE_ADDR=address
    )
    if answer.status_code == 302:
        return "in"
    text = answer.content.decode()
    return "wait" if "Too many wrong passwords were tried. Wait 5 minutes" in text else "wrong"


@pytest.mark.parametrize("page", PAGES)
def test_after_so_many_wrong_passwords_even_the_right_one_must_wait(page, person):
    said = [try_password(page, password) for password in ("a", "b", "c", "d", PASSWORD)]
    assert said == ["wrong", "wrong", "wrong", "wait", "wait"]


def test_both_pages_count_together(person):
    said = [try_password(PAGES[n % 2], "wrong") for n in range(4)]
    assert said == ["wrong", "wrong", "wrong", "wait"]


@pytest.mark.parametrize("page", PAGES)
def test_the_right_password_begins_the_count_anew(page, person):
    for _ in range(5):
        assert [try_password(page, p) for p in ("a", "b", PASSWORD)] == ["wrong", "wrong", "in"]


def test_other_names_and_other_addresses_are_not_shut_out(person):
    get_user_model().objects.create_user("other", password=PASSWORD)
    for _ in range(4):
        try_password("/login/", "wrong")
    assert try_password("/login/", PASSWORD) == "wait"
    assert try_password("/login/", PASSWORD, name="other") == "in"
    assert try_password("/login/", PASSWORD, address="192.0.2.2") == "in"


def test_many_names_from_one_address_are_limited_too(person):
    for number in range(30):
        assert try_password("/login/", "wrong", name=f"guess-{number}") == "wrong"
    assert try_password("/login/", "wrong", name="guess-30") == "wait"


def test_the_case_of_the_name_makes_no_new_count(person):
    for name in ("person", "PERSON", "pErson"):
        try_password("/login/", "wrong", name=name)
    assert try_password("/login/", "wrong") == "wait"


@pytest.mark.parametrize("page", PAGES)
def test_without_the_cache_one_can_still_log_in(page, person, settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    there = settings.CACHES["default"]
    settings.CACHES = {"default": {**there, "LOCATION": f"redis://127.0.0.1:{port}/0"}}
    said = [try_password(page, password) for password in ("a", "b", "c", "d", PASSWORD)]
    assert said == ["wrong", "wrong", "wrong", "wrong", "in"]


def request(address, forwarded=None):
    more = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    return RequestFactory().get("/", REMOTE_ADDR=address, **more)


def test_behind_tls_the_address_is_the_one_our_proxy_saw(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    made_up = request("172.18.0.5", "1.2.3.4, 198.51.100.7")
    assert client_address(made_up) == "198.51.100.7"
    assert client_address(request("172.18.0.5")) == "172.18.0.5"


def test_without_a_proxy_nobody_can_choose_an_address(settings):
    settings.SECURE_PROXY_SSL_HEADER = None
    assert client_address(request("192.0.2.1", "1.2.3.4")) == "192.0.2.1"


def test_only_programs_of_this_machine_that_come_directly_are_local():
    assert is_from_this_machine(request("127.0.0.1"))
    assert is_from_this_machine(request("::1"))
    assert not is_from_this_machine(request("127.0.0.1", "198.51.100.7"))
    assert not is_from_this_machine(request("192.0.2.1"))
    assert not is_from_this_machine(request(""))
