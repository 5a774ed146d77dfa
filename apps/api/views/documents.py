"""The OpenAPI document and its browsable form."""

from __future__ import annotations

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView


class SchemaView(SpectacularJSONAPIView):
    """Readable without a token: it says nothing that the source does not."""

    authentication_classes = []
    permission_classes = []


@method_decorator(csp_update({"style-src": [SELF, UNSAFE_INLINE]}), name="dispatch")  # Swagger UI sets style attributes
class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files; its script is an answer of its own, so scripts stay `'self'`."""

    authentication_classes = []
    permission_classes = []
    url_name = "api:schema"
