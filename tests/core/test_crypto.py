from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from apps.core.crypto import audit_ring, parse_keys
from apps.core.errors import Misconfigured

pytestmark = pytest.mark.sqlite
OLD, NEW = b"o" * 32, b"n" * 40


def entry(name: str, key: bytes) -> str:
    return f"{name}:{base64.b64encode(key).decode()}"


def test_the_last_key_signs_and_the_others_still_verify():
    ring = parse_keys(f"{entry('2025', OLD)}, {entry('2026', NEW)}")
    assert (ring.keys, ring.current) == ({"2025": OLD, "2026": NEW}, "2026")
    assert ring.mac(b"m") == hmac.new(NEW, b"m", hashlib.sha256).digest()
    assert ring.mac(b"m", key_id="2025") == hmac.new(OLD, b"m", hashlib.sha256).digest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "AUDIT_KEYS: entry 1 needs an id"),
        ("no colon", "AUDIT_KEYS: entry 1 needs an id"),
        (f":{base64.b64encode(OLD).decode()}", "AUDIT_KEYS: entry 1 needs an id"),
        ("a:!!!", "AUDIT_KEYS: entry 1 is not id:base64"),
        ("a:ключ", "AUDIT_KEYS: entry 1 is not id:base64"),
        (f"{entry('a', OLD)},", "AUDIT_KEYS: entry 2 needs an id"),
        (f"{entry('a', OLD)},{entry('b', b'short')}", "AUDIT_KEYS: entry 2 needs an id"),
        (entry("x" * 33, OLD), "AUDIT_KEYS: entry 1 needs an id"),
        (f"{entry('a', OLD)},{entry('a', NEW)}", "AUDIT_KEYS: two entries have the same id"),
    ],
)
def test_keys_that_do_not_fit_are_refused_by_variable_and_entry(text, said):
    with pytest.raises(Misconfigured) as refused:
        parse_keys(text)
    assert str(refused.value).startswith(said)


def test_a_refusal_shows_no_key():
    with pytest.raises(Misconfigured) as refused:
        parse_keys("a:c2VjcmV0")
    assert "c2VjcmV0" not in str(refused.value)


def test_the_ring_follows_the_settings(settings):
    settings.AUDIT_KEYS = entry("2026", NEW)
    assert audit_ring().current == "2026"
    settings.AUDIT_KEYS = ""
    settings.SECRET_KEY = "one"
    one = audit_ring()
    settings.SECRET_KEY = "two"
    assert (one.current, audit_ring().current) == ("secret", "secret")
    assert one.mac(b"m") != audit_ring().mac(b"m")
