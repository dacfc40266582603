"""The ASGI entry point: pages, REST and sockets."""

from __future__ import annotations

import os
import warnings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

# WhiteNoise is not ASGI-native: a file is read whole in a thread, which is all this warning says.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")

http_application = get_asgi_application()

# Imported once Django is set up: sessions and users are models.
from tcpdashboard.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application})
