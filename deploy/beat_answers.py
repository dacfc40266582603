"""Exit with 0 when a task that beat sent was run within so many seconds, else say why not."""

import os
import sys
import time

import redis

limit_s = float(sys.argv[1])
with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=4) as client:
    noted = client.get("health:beat")
if noted is None or time.time() - float(noted) > limit_s:
    sys.exit(f"beat has sent nothing for {limit_s:g} s")
