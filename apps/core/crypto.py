"""Keyed hashes and sealed values. Keys have ids: one can be replaced while what is older still verifies and opens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.core.errors import DomainError, Misconfigured

NONCE_BYTES = 12


class SealBroken(DomainError):
    """A sealed value was changed or moved since it was written; it has to be entered again."""

    code = "seal_broken"


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """Named keys of at least 32 bytes; `current` is the id of the one that signs and seals."""

    keys: Mapping[str, bytes]
    current: str

    def mac(self, message: bytes, *, key_id: str | None = None) -> bytes:
        """HMAC-SHA256 (32 bytes) under the named key, by default the current one."""
        return hmac.digest(self.keys[key_id or self.current], message, "sha256")

    def seal(self, plain: bytes, *, place: bytes) -> str:
        """AES-256-GCM under the current key as `key id:base64(nonce, ciphertext)`, bound to `place`."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + _cipher(self.keys[self.current]).encrypt(nonce, plain, _bound(self.current, place))
        return f"{self.current}:{base64.b64encode(sealed).decode()}"

    def open_sealed(self, sealed: str, *, place: bytes) -> bytes:
        """What was sealed at this place. Raises Misconfigured naming a key that is missing, SealBroken."""
        key_id, _, encoded = sealed.partition(":")
        if key_id not in self.keys:
            raise Misconfigured(f"DATA_KEYS: the key {key_id!r}, which sealed a stored value, is missing; add it again")
        try:
            raw = base64.b64decode(encoded, validate=True)
            return _cipher(self.keys[key_id]).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(key_id, place))
        except (ValueError, InvalidTag):
            raise SealBroken from None


def _cipher(key: bytes) -> AESGCM:
    """The ring's keys may be longer than a cipher's: 32 bytes of their own are derived (HKDF, RFC 5869)."""
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"seal").derive(key))


def _bound(key_id: str, place: bytes) -> bytes:
    return f"{key_id}:".encode() + place


def parse_keys(text: str, *, variable: str = "AUDIT_KEYS") -> KeyRing:
    """A ring from `id:base64,id:base64`, the last one is current. Raises Misconfigured naming variable and entry."""
    entries = [_parse_entry(f"{variable}: entry {place}", entry) for place, entry in enumerate(text.split(","), 1)]
    keys = dict(entries)
    if len(keys) < len(entries):
        raise Misconfigured(f"{variable}: two entries have the same id")
    return KeyRing(keys=keys, current=entries[-1][0])


def _parse_entry(called: str, entry: str) -> tuple[str, bytes]:
    name, _, encoded = entry.strip().partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise Misconfigured(f"{called} is not id:base64") from None
    if not name or len(name) > 32 or len(key) < 32:
        raise Misconfigured(f"{called} needs an id of 1 to 32 characters and a key of at least 32 bytes")
    return name, key


@lru_cache(maxsize=16)
def _ring(variable: str, text: str, purpose: bytes, secret_key: str) -> KeyRing:
    if text:
        return parse_keys(text, variable=variable)
    derived = hashlib.sha256(purpose + secret_key.encode()).digest()
    return KeyRing(keys={"secret": derived}, current="secret")


def audit_ring() -> KeyRing:
    """The ring of the audit chain; where no AUDIT_KEYS are set (demonstration, tests) derived from SECRET_KEY."""
    return _ring("AUDIT_KEYS", settings.AUDIT_KEYS, b"audit chain:", settings.SECRET_KEY)


def data_ring() -> KeyRing:
    """The ring that seals values; where no DATA_KEYS are set (demonstration, tests) derived from SECRET_KEY."""
    return _ring("DATA_KEYS", settings.DATA_KEYS, b"sealed data:", settings.SECRET_KEY)


def seal(plain: bytes, *, place: bytes) -> str:
    """The value under the current key of DATA_KEYS, for a text column: `key id:base64`.

    `place` says where it is stored (`workflows.secret:payments`): moved to another row it does not open.
    """
    return data_ring().seal(plain, place=place)


def open_sealed(sealed: str, *, place: bytes) -> bytes:
    """What was sealed at this place, under the key it names.

    Raises Misconfigured where DATA_KEYS lacks that key, SealBroken where the value was changed or moved.
    """
    return data_ring().open_sealed(sealed, place=place)
