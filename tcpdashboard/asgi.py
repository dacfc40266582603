"""The ASGI entry point: pages, REST and sockets."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
