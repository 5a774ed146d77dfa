from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from apps.core.crypto import SealBroken, audit_ring, data_ring, open_sealed, parse_keys, seal
from apps.core.errors import Misconfigured

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


PLACE = b"workflows.secret:payments"


@pytest.fixture
def keys(settings) -> None:
    settings.DATA_KEYS = f"{entry('2025', OLD)},{entry('2026', NEW)}"


@pytest.mark.parametrize("plain", [b"", b"x", b"whsec_c2VjcmV0", bytes(range(256)) * 400])
def test_what_is_sealed_opens_at_its_place(keys, plain):
    sealed = seal(plain, place=PLACE)
    assert open_sealed(sealed, place=PLACE) == plain
    assert sealed.startswith("2026:")
    assert not plain or base64.b64encode(plain).decode() not in sealed


def test_the_same_value_never_looks_the_same(keys):
    assert len({seal(b"secret", place=PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("place", [b"", b"workflows.secret:payment", b"workflows.secret:other", PLACE + b" "])
def test_at_another_place_it_does_not_open(keys, place):
    with pytest.raises(SealBroken) as refused:
        open_sealed(seal(b"secret", place=PLACE), place=place)
    assert str(refused.value) == (
        "A sealed value was changed or moved since it was written; it has to be entered again."
    )


def test_a_value_that_was_changed_anywhere_does_not_open(keys):
    name, _, encoded = seal(b"secret", place=PLACE).partition(":")
    raw = base64.b64decode(encoded)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(SealBroken):
            open_sealed(f"{name}:{base64.b64encode(changed).decode()}", place=PLACE)


@pytest.mark.parametrize("sealed", ["2026:", "2026", "2026:AAAA", "2026:!!!", "2026:ключ"])
def test_what_was_never_sealed_does_not_open(keys, sealed):
    with pytest.raises(SealBroken):
        open_sealed(sealed, place=PLACE)


def test_an_older_key_still_opens_what_it_sealed_and_the_new_one_seals(settings):
    settings.DATA_KEYS = entry("2025", OLD)
    sealed = seal(b"secret", place=PLACE)
    settings.DATA_KEYS = f"{entry('2025', OLD)},{entry('2026', NEW)}"
    assert (open_sealed(sealed, place=PLACE), seal(b"", place=PLACE)[:5]) == (b"secret", "2026:")


def test_the_key_a_value_names_is_part_of_its_seal(settings):
    settings.DATA_KEYS = f"{entry('a', OLD)},{entry('b', OLD)}"
    with pytest.raises(SealBroken):
        open_sealed("a" + seal(b"secret", place=PLACE)[1:], place=PLACE)


def test_a_key_that_is_missing_is_named(settings):
    settings.DATA_KEYS = entry("2025", OLD)
    sealed = seal(b"secret", place=PLACE)
    settings.DATA_KEYS = entry("2026", NEW)
    with pytest.raises(Misconfigured) as refused:
        open_sealed(sealed, place=PLACE)
    assert str(refused.value) == "DATA_KEYS: the key '2025', which sealed a stored value, is missing; add it again"


def test_another_key_of_the_same_name_does_not_open_it(settings):
    settings.DATA_KEYS = entry("2026", OLD)
    sealed = seal(b"secret", place=PLACE)
    settings.DATA_KEYS = entry("2026", NEW)
    with pytest.raises(SealBroken):
        open_sealed(sealed, place=PLACE)


def test_without_data_keys_they_come_from_the_secret_key_and_differ_from_the_audit_chain(settings):
    settings.DATA_KEYS, settings.AUDIT_KEYS = "", ""
    assert data_ring().current == "secret"
    assert data_ring().keys != audit_ring().keys
    sealed = seal(b"secret", place=PLACE)
    settings.SECRET_KEY = "another"
    with pytest.raises(SealBroken):
        open_sealed(sealed, place=PLACE)
