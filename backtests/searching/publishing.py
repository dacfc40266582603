"""What browsers are told of searches: topic `search:<owner>:<id>`, for the owner and staff."""

from __future__ import annotations

import re
from typing import Any, Final

from backtests.models import Search
from backtests.storage.trials import best_trials
from tcpdashboard.common.jobs.progress import owner_or_staff
from tcpdashboard.common.realtime import notify
from tcpdashboard.common.topics import TopicRule

TOPICS: Final = (
    TopicRule(re.compile(r"search:(?P<owner>[0-9]{1,19}):[0-9]{1,19}"), owner_or_staff),
)


def search_state(search: Search) -> dict[str, Any]:
    """Return what is shown of a search while it runs: how far it is, and its best trial so far."""
    best = best_trials(search, 0, 1)
    return {
        "id": search.pk,
        "state": search.state,
        "done": search.done,
        "total": search.total,
        "error": search.error,
        "best": [
            {
                "number": trial.number,
                "parameters": trial.parameters,
                "objective": trial.objective,
                "metrics": trial.metrics,
            }
            for trial in best
        ],
    }


def publish_search(number: int) -> bool:
    """Tell how a search stands; return whether it went out. Never raises for want of Redis."""
    search = Search.objects.prefetch_related("jobs").filter(pk=number).first()
    return search is not None and notify(search.topic, {"search": search_state(search)})
