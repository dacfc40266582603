"""Jobs over REST, in the admin and on the stream: one's own; staff reach all."""

from __future__ import annotations

import threading

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.urls import reverse
from rest_framework.test import APIClient

from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tcpdashboard.common.realtime import TopicPublisher
from tcpdashboard.common.topics import ForbiddenTopic
from tcpdashboard.routing import TOPICS
from tests.common import job_kinds
from tests.common.job_kinds import make

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/jobs/"


@pytest.fixture(autouse=True)
def _kinds():
    cache.clear()
    with job_kinds.kind("count", "count", unit="numbers"):
        yield


@pytest.fixture
def ann():
    return get_user_model().objects.create_user("ann")


@pytest.fixture
def bob():
    return get_user_model().objects.create_user("bob")


@pytest.fixture
def staff():
    return get_user_model().objects.create_user("staff", is_staff=True)


def client_of(user):
    client = APIClient()
    client.force_login(user)
    return client


def test_people_see_their_own_jobs_and_staff_all(ann, bob, staff):
    mine, other, system = make(owner=ann), make(owner=bob), make()
    shown = {
        user: [row["id"] for row in client_of(user).get(URL).json()["results"]]
        for user in (ann, staff)
    }
    assert shown == {ann: [mine.pk], staff: [system.pk, other.pk, mine.pk]}
    assert client_of(ann).get(f"{URL}{mine.pk}/").json()["topic"] == f"job:{ann.pk}:{mine.pk}"
    assert client_of(ann).get(f"{URL}{other.pk}/").status_code == 404
    assert client_of(ann).post(f"{URL}{other.pk}/cancel/").status_code == 404


def test_jobs_are_filtered_by_kind_and_state(staff):
    paused = make(state="paused")
    make()
    client = client_of(staff)
    found = client.get(URL, {"state": "paused", "kind": "count"}).json()["results"]
    assert [row["id"] for row in found] == [paused.pk]
    refused = client.get(URL, {"state": "sleeping"})
    assert refused.status_code == 400
    assert "expected one of queued, running" in refused.json()["errors"]["state"][0]


def test_a_job_is_paused_resumed_and_cancelled(ann):
    job, client = make(owner=ann), client_of(ann)
    states = [
        client.post(f"{URL}{job.pk}/{order}/").json()["state"]
        for order in ("pause", "resume", "cancel")
    ]
    assert states == ["paused", "queued", "cancelled"]
    refused = client.post(f"{URL}{job.pk}/resume/")
    assert refused.status_code == 409
    assert refused.json()["detail"] == f"job {job.pk} is cancelled: it cannot be resumed"


def test_staff_give_orders_to_other_people_s_jobs_if_they_may_change_jobs(ann, staff):
    job = make(owner=ann)
    refused = client_of(staff).post(f"{URL}{job.pk}/cancel/")
    assert refused.status_code == 403
    permission = Permission.objects.get(codename="change_job")
    staff.user_permissions.add(permission)
    assert client_of(staff).post(f"{URL}{job.pk}/cancel/").json()["state"] == "cancelled"


def test_the_admin_lists_jobs_and_gives_orders(client, ann):
    root = get_user_model().objects.create_superuser("root", password="x")
    client.force_login(root)
    waiting, ended = make(owner=ann), make(owner=ann)
    url = reverse("admin:common_job_changelist")
    assert b"a job that is to count" in client.get(url).content
    assert client.get(reverse("admin:common_job_change", args=[waiting.pk])).status_code == 200
    for action, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        answer = client.post(url, {"action": action, "_selected_action": [waiting.pk]}, follow=True)
        assert b"1 jobs were asked to" in answer.content
        waiting.refresh_from_db()
        assert waiting.state == state
    chosen = {"action": "pause", "_selected_action": [waiting.pk, ended.pk]}
    answer = client.post(url, chosen, follow=True).content.decode()
    assert f"job {waiting.pk} is cancelled: it cannot be paused" in answer
    assert "1 jobs were asked to pause" in answer


def test_progress_is_told_to_the_owner_and_to_staff_only(ann, bob, staff):
    job = make(owner=ann, parameters={"to": 3})
    TOPICS.authorise(ann, job.topic)
    TOPICS.authorise(staff, job.topic)
    with pytest.raises(ForbiddenTopic):
        TOPICS.authorise(bob, job.topic)
    with pytest.raises(ForbiddenTopic):
        TOPICS.authorise(ann, make().topic)


def test_the_last_message_of_a_topic_says_how_the_job_ended(ann):
    job = make(owner=ann, parameters={"to": 2000}, total=2000)
    assert run_job(job.pk, threading.Event()) == "done"
    publisher = TopicPublisher(django_settings.REDIS_URL)
    latest = publisher.latest(job.topic)
    publisher.close()
    assert '"state":"done","done":2000,"total":2000' in latest.payload
    # A few a second, however often it saves.
    assert latest.seq < 200
    assert Job.objects.get().done == 2000
