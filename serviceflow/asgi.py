"""The socket in production; web and socket in the embedded process. `uvicorn serviceflow.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "serviceflow.settings.production")
http_application = get_asgi_application()  # sets Django up, so the imports below find their models

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from apps.realtime.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {"http": http_application, "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns))}
)
