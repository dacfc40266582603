"""What browsers are told of a job: topic `job:<owner>:<id>`, for the owner and staff."""

from __future__ import annotations

import re
from typing import Any, Final

from tcpdashboard.common.models import Job
from tcpdashboard.common.realtime import notify
from tcpdashboard.common.topics import TopicRule


def job_state(job: Job) -> dict[str, Any]:
    """Return what is shown of a job while it runs and when it has ended."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "title": job.title,
        "desired": job.desired,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "message": job.message,
        "error": job.error,
    }


def publish_job(job: Job) -> bool:
    """Tell a job's state once; return whether it went out. Never raises."""
    return notify(job.topic, {"job": job_state(job)})


def owner_or_staff(user: Any, match: re.Match[str]) -> bool:
    """Allow the person whose number is in the topic, and staff. 0 is the system."""
    return bool(user.is_authenticated and (user.is_staff or str(user.pk) == match["owner"]))


TOPICS: Final = (TopicRule(re.compile(r"job:(?P<owner>[0-9]{1,19}):[0-9]{1,19}"), owner_or_staff),)
