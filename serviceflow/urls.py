from django.contrib import admin
from django.urls import include, path

from serviceflow import health

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("admin/", admin.site.urls),
    path("api/v1/", include("apps.api.urls")),
    path("", include("apps.portal.urls")),
]
