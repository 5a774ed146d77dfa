"""Keyed hashes. Keys have ids, so that they can be replaced while old values still verify."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from apps.core.errors import Misconfigured


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """Named 32-byte keys; `current` is the id of the one that signs."""

    keys: Mapping[str, bytes]
    current: str

    def mac(self, message: bytes, *, key_id: str | None = None) -> bytes:
        """HMAC-SHA256 (32 bytes) under the named key, by default the current one."""
        return hmac.digest(self.keys[key_id or self.current], message, "sha256")


def parse_keys(text: str) -> KeyRing:
    """A ring from `id:base64,id:base64`; the last one signs. Raises Misconfigured naming the variable and the entry."""
    entries = [_parse_entry(place, entry) for place, entry in enumerate(text.split(","), 1)]
    keys = dict(entries)
    if len(keys) < len(entries):
        raise Misconfigured("AUDIT_KEYS: two entries have the same id")
    return KeyRing(keys=keys, current=entries[-1][0])


def _parse_entry(place: int, entry: str) -> tuple[str, bytes]:
    name, _, encoded = entry.strip().partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise Misconfigured(f"AUDIT_KEYS: entry {place} is not id:base64") from None
    if not name or len(name) > 32 or len(key) < 32:
        raise Misconfigured(
            f"AUDIT_KEYS: entry {place} needs an id of 1 to 32 characters and a key of at least 32 bytes"
        )
    return name, key


@lru_cache(maxsize=8)
def _ring(audit_keys: str, secret_key: str) -> KeyRing:
    if audit_keys:
        return parse_keys(audit_keys)
    derived = hashlib.sha256(b"audit chain:" + secret_key.encode()).digest()
    return KeyRing(keys={"secret": derived}, current="secret")


def audit_ring() -> KeyRing:
    """The ring of the audit chain; where no AUDIT_KEYS are set (demonstration, tests) derived from SECRET_KEY."""
    return _ring(settings.AUDIT_KEYS, settings.SECRET_KEY)
