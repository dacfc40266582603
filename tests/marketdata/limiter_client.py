"""A process that sends requests as a limiter lets it, for the tests; prints when it did.

Arguments: host, urgency, requests per window, window in seconds, tasks, seconds to go on.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")


async def main(host: str, urgency: str, rate: int, window_s: float, tasks: int, seconds: float):
    from marketdata.limiting import Urgency, shared_limiter

    limiter = shared_limiter(host, {"/trades": rate}, window_s, Urgency(urgency))
    sent: list[float] = []
    ends = time.time() + seconds

    async def send() -> None:
        while time.time() < ends:
            await limiter.acquire("/trades")
            sent.append(time.time())

    await asyncio.gather(*(send() for _ in range(tasks)))
    print(json.dumps(sent))


if __name__ == "__main__":
    given = sys.argv[1:]
    numbers = int(given[2]), float(given[3]), int(given[4]), float(given[5])
    asyncio.run(main(given[0], given[1], *numbers))
