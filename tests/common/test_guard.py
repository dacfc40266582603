"""Sockets end with the login that opened them, and one person has so many at most."""

from __future__ import annotations

import asyncio
import uuid

import orjson
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tcpdashboard.asgi import application
from tcpdashboard.common import guard as guards
from tcpdashboard.common.closing import LOGIN_NEEDED, TOO_MANY_SOCKETS, close_event
from tcpdashboard.common.sessions import standing_users
from tests.common.test_realtime import Socket, ask, headers

pytestmark = [pytest.mark.django_db(transaction=True)]

PASSWORD = "right-Horse-9"


class Person:
    """Somebody with a browser that is logged in."""

    def __init__(self, **rights):
        self.user = get_user_model().objects.create_user(
            uuid.uuid4().hex, password=PASSWORD, **rights
        )
        self.client = Client()
        self.client.force_login(self.user)

    @property
    def key(self):
        return self.client.cookies[django_settings.SESSION_COOKIE_NAME].value

    async def connect(self):
        cookie = f"{django_settings.SESSION_COOKIE_NAME}={self.key}".encode()
        socket = Socket(application, headers=[*headers(), (b"cookie", cookie)])
        assert await socket.connect()
        return socket


async def live(socket):
    """Read until the hub has reached Redis."""
    while not (await socket.receive())["live"]:
        pass


async def end_of(socket, timeout_s=5):
    """Return the event that closes the socket, past what else comes."""
    while (event := await socket.receive_output(timeout_s))["type"] != "websocket.close":
        pass
    return event


@pytest.fixture
def often(settings):
    """Ask for logins ten times a second."""
    settings.SOCKET_CHECK_SECONDS = 0.1


new = sync_to_async(Person)


@pytest.mark.asyncio
async def test_logging_out_closes_the_sockets_of_that_session_at_once_and_no_others():
    person, other = await new(), await new()
    first, second, stranger = (
        await person.connect(),
        await person.connect(),
        await other.connect(),
    )
    for socket in (first, second, stranger):
        await live(socket)
    await guard_hears()

    await sync_to_async(person.client.post)("/logout/")

    assert await end_of(first) == await end_of(second) == close_event(LOGIN_NEEDED)
    await ask(stranger, op="ping")
    assert (await stranger.receive())["type"] == "pong"
    for socket in (first, second, stranger):
        await socket.disconnect()


async def guard_hears():
    """Wait until Redis has confirmed the guard's own subscription."""
    hub = guards.running_hub()
    async with asyncio.timeout(5):
        while hub._topics[guards.ENDED].sent is None:  # noqa: ASYNC110 - Redis says when
            await asyncio.sleep(0.01)


def shut_out(person):
    person.user.is_active = False
    person.user.save()


def change_password(person):
    person.user.set_password("another-Horse-9")
    person.user.save()


def run_out(person):
    Session.objects.filter(pk=person.key).update(expire_date=timezone.now())


def lose_the_session(person):
    Session.objects.filter(pk=person.key).delete()


def delete_the_user(person):
    person.user.delete()


ENDINGS = [shut_out, change_password, run_out, lose_the_session, delete_the_user]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
@pytest.mark.asyncio
async def test_whoever_would_not_be_let_in_again_is_closed_at_the_next_check(often, ending):
    person = await new()
    socket = await person.connect()

    await sync_to_async(ending)(person)

    assert (await end_of(socket))["code"] == LOGIN_NEEDED
    await socket.disconnect()


@pytest.mark.asyncio
async def test_a_login_that_stands_is_left_alone_by_the_checks(often):
    person = await new()
    socket = await person.connect()
    await live(socket)

    await asyncio.sleep(0.5)

    await ask(socket, op="ping")
    assert (await socket.receive())["type"] == "pong"
    await socket.disconnect()


@pytest.mark.asyncio
async def test_one_person_may_open_so_many_sockets_and_is_told_when_it_is_too_much(settings):
    settings.SOCKETS_PER_USER = 2
    person, other = await new(), await new()
    first, second, third = [await person.connect() for _ in range(3)]

    assert await third.receive_output(5) == close_event(TOO_MANY_SOCKETS)
    await live(await other.connect())

    await first.disconnect()
    fourth = await person.connect()
    await live(fourth)
    for socket in (second, fourth):
        await socket.disconnect()


@pytest.mark.asyncio
async def test_a_topic_named_several_times_in_one_message_is_answered_once():
    person = await new()
    socket = await person.connect()
    await live(socket)

    await ask(socket, op="subscribe", topics=["collectors"] * 50 + ["gaps"] + ["collectors"] * 50)
    answers = [await socket.receive(), await socket.receive()]
    await ask(socket, op="ping")

    assert {answer["topic"] for answer in answers} == {"collectors", "gaps"}
    assert (await socket.receive())["type"] == "pong"
    await socket.disconnect()


@pytest.mark.asyncio
async def test_browsers_cannot_follow_which_sessions_end():
    person = await new()
    socket = await person.connect()
    await live(socket)
    await ask(socket, op="subscribe", topics=[guards.ENDED])
    assert "there is no topic" in (await socket.receive())["error"]
    await socket.disconnect()


def test_many_logins_are_asked_for_in_two_queries(django_assert_num_queries):
    people = [Person() for _ in range(5)]
    shut_out(people[0])
    change_password(people[1])
    with django_assert_num_queries(2):
        users = standing_users([*(person.key for person in people), "unknown" * 4])
    assert users == {person.key: person.user for person in people[2:]}


def test_a_closing_event_fits_into_a_frame():
    for code in (4401, 4408, 4429, 4430):
        assert len(orjson.dumps(close_event(code)["reason"])) <= 123
