"""Wrong or missing settings stop the start with a sentence that names the variable."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = base64.b64encode(b"k" * 32).decode()
COMPLETE = {
    "DJANGO_SETTINGS_MODULE": "serviceflow.settings.production",
    "SECRET_KEY": "s" * 50,
    "AUDIT_KEYS": f"2026:{KEY}",
    "DATA_KEYS": f"2026:{KEY}",
    "ALLOWED_HOSTS": "example.org",
    "DATABASE_URL": "postgresql://user:password@127.0.0.1:5432/serviceflow",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}
REQUIRED = ("SECRET_KEY", "AUDIT_KEYS", "DATA_KEYS", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL")
SHORT = base64.b64encode(b"k" * 31).decode()
WRONG = [
    ("DATABASE_URL", "mysql://127.0.0.1/serviceflow", "DATABASE_URL must start with one of postgres://"),
    ("DATABASE_URL", "serviceflow", "DATABASE_URL must start with one of postgres://"),
    ("DATABASE_URL", "sqlite:////tmp/one.sqlite3", "DATABASE_URL must name a PostgreSQL database"),
    ("AUDIT_KEYS", "secret", "AUDIT_KEYS: entry 1"),
    ("AUDIT_KEYS", "2026:not base64!", "AUDIT_KEYS: entry 1 is not id:base64"),
    ("AUDIT_KEYS", "2026:ключ", "AUDIT_KEYS: entry 1 is not id:base64"),
    ("AUDIT_KEYS", f"2026:{KEY},2027:{SHORT}", "AUDIT_KEYS: entry 2 needs an id"),
    ("AUDIT_KEYS", f"{'x' * 33}:{KEY}", "AUDIT_KEYS: entry 1 needs an id of 1 to 32 characters"),
    ("AUDIT_KEYS", f"2026:{KEY},2026:{KEY}", "AUDIT_KEYS: two entries have the same id"),
    ("DATA_KEYS", "secret", "DATA_KEYS: entry 1"),
    ("DATA_KEYS", f"2026:{KEY},2027:{SHORT}", "DATA_KEYS: entry 2 needs an id"),
    ("OUTGOING_ALLOWED_ADDRESSES", "10.0.0.0/8,ten", "OUTGOING_ALLOWED_ADDRESSES: 'ten' does not appear"),
    ("OUTGOING_ALLOWED_ADDRESSES", "10.0.0.1/8", "OUTGOING_ALLOWED_ADDRESSES: 10.0.0.1/8 has host bits set"),
    ("OUTGOING_ALLOW_HTTP", "perhaps", "OUTGOING_ALLOW_HTTP must be true or false; it is 'perhaps'"),
    ("TRUSTED_PROXIES", "one", "TRUSTED_PROXIES must be a whole number; it is 'one'"),
    ("EMAIL_PORT", "smtp", "EMAIL_PORT must be a whole number; it is 'smtp'"),
    ("RELAY_LEASE_SECONDS", "soon", "RELAY_LEASE_SECONDS must be a number; it is 'soon'"),
    ("BEHIND_HTTPS", "maybe", "BEHIND_HTTPS must be true or false; it is 'maybe'"),
]


def start(code: str = "import django; django.setup()", **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Starts Django in a process of its own with these variables changed, None for missing ones."""
    env = {"PATH": os.environ["PATH"], **COMPLETE, **changes}
    command = [sys.executable, "-c", code]
    given = {name: value for name, value in env.items() if value is not None}
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=280)


def read_settings(**changes: str | None) -> subprocess.CompletedProcess[str]:
    """Only what every start does first."""
    return start("from django.conf import settings; settings.DEBUG", **changes)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().splitlines()[-1]


def test_the_complete_set_starts():
    assert start().returncode == 0


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_variable_that_is_missing_is_named(name):
    done = read_settings(**{name: None})
    assert done.returncode == 1
    assert last_line(done).startswith(f"django.core.exceptions.ImproperlyConfigured: {name} is not set. It holds ")


@pytest.mark.parametrize("value", ["", "  "], ids=["empty", "blank"])
@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_variable_that_is_empty_is_named(name, value):
    done = read_settings(**{name: value})
    assert done.returncode == 1
    assert last_line(done).startswith(f"django.core.exceptions.ImproperlyConfigured: {name} ")


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_is_refused_with_the_name_of_its_variable(name, value, said):
    done = start(**{name: value})
    assert done.returncode == 1
    assert last_line(done).startswith(f"django.core.exceptions.ImproperlyConfigured: {said}")


def test_a_database_url_whose_port_is_no_number_is_refused_with_the_name_of_its_variable():
    done = start(DATABASE_URL="postgresql://127.0.0.1:port/serviceflow")
    assert last_line(done).startswith("django.core.exceptions.ImproperlyConfigured: DATABASE_URL")


def test_a_refusal_does_not_show_the_key():
    done = start(AUDIT_KEYS=f"2026:{KEY},2027:{SHORT}")
    assert KEY not in done.stderr
    assert SHORT not in done.stderr


def test_wrong_keys_stop_the_demonstration_too(tmp_path):
    done = start(
        DJANGO_SETTINGS_MODULE="serviceflow.settings.demo",
        VAR_DIR=str(tmp_path),
        DATABASE_URL=None,
        AUDIT_KEYS="secret",
    )
    assert last_line(done).startswith("django.core.exceptions.ImproperlyConfigured: AUDIT_KEYS: entry 1")
