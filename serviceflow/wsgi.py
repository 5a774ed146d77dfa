"""HTTP in production: `granian --interface wsgi serviceflow.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "serviceflow.settings.production")
application = get_wsgi_application()
