"""Static files in production: hashed names, compressed, and no source maps."""

from __future__ import annotations

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


def _without_source_maps(patterns: Any) -> Any:
    kept = ((glob, tuple(p for p in found if "sourceMappingURL" not in str(p))) for glob, found in patterns)
    return tuple(kept)


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Vendored files are served as they came; the maps they name are for their own developers and not shipped."""

    patterns = _without_source_maps(CompressedManifestStaticFilesStorage.patterns)
