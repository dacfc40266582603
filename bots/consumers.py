"""The topics of bots: each for its owner, and for staff."""

from __future__ import annotations

import re
from typing import Final

from tcpdashboard.common.jobs.progress import owner_or_staff
from tcpdashboard.common.topics import TopicRule

# Whose a bot is stands in the topic itself, where it needs no look into the database: a topic that
# names a wrong owner is one on which nothing is ever told.
TOPICS: Final = (
    TopicRule(re.compile(r"bots:(?P<owner>[0-9]{1,19})"), owner_or_staff),
    TopicRule(re.compile(r"bot:(?P<owner>[0-9]{1,19}):[0-9]{1,19}"), owner_or_staff),
)
