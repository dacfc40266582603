"""gunicorn for pages, REST and admin; its log lines look like every other process's."""

import os

import django
from gunicorn.glogging import Logger

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")
django.setup()


class OurLogs(Logger):
    """Leaves gunicorn's lines to the handlers that Django has set up; requests are logged there."""

    def setup(self, cfg):
        self.error_log.propagate = True
        self.access_log.disabled = True


logger_class = OurLogs
bind = "0.0.0.0:8000"
workers = 2
threads = 4
graceful_timeout = 10
# On a disk, a slow write would look like a stuck worker.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - only a heartbeat's file, made by gunicorn itself
# Its folder would be /app, which is not ours to write; nobody asks gunicorn anything there.
control_socket_disable = True
# Only the proxy can reach this address.
forwarded_allow_ips = "*"
