from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from apps.workflows.services.webhook import Permanent, Receipt, Temporary, _signature, deliver
from tests.core.http_receiver import Act, Call, answer, raw, receiving

AT = datetime(2026, 11, 23, 10, 0, 0, 700_000, tzinfo=UTC)
KEY = b"twenty-four bytes at least"
SECRET = b"whsec_" + base64.b64encode(KEY)


@pytest.fixture(autouse=True)
def _one_address_is_open(settings) -> None:
    settings.OUTGOING_ALLOWED_ADDRESSES = ["127.0.0.1/32"]


def sent(act: Act, **changes: object) -> tuple[Receipt, Call]:
    """The receipt of one webhook and what its receiver got."""
    given = {"body": {"number": "SR-1"}, "secret": SECRET, "message_id": "msg_7_3", "at": AT, **changes}
    with receiving(act) as there:
        receipt = deliver(url=there.url("/in"), **given)
    (call,) = there.calls
    return receipt, call


def refused(error: type[Exception], act: Act, **changes: object) -> Exception:
    with pytest.raises(error) as failed:
        sent(act, **changes)
    return failed.value


def test_a_webhook_is_canonical_json_signed_after_the_standard():
    receipt, call = sent(answer(200), body={"b": "ü", "a": {"y": 1.0, "x": None}})
    assert receipt == Receipt(status=200, data=None)
    assert (call.method, call.path, call.body) == ("POST", "/in", '{"a":{"x":null,"y":1},"b":"ü"}'.encode())
    expected = hmac.digest(KEY, b"msg_7_3.1795428000." + call.body, hashlib.sha256)
    assert {name: call.headers[name] for name in call.headers if name.startswith(("webhook", "content-type"))} == {
        "content-type": "application/json",
        "webhook-id": "msg_7_3",
        "webhook-timestamp": "1795428000",
        "webhook-signature": f"v1,{base64.b64encode(expected).decode()}",
    }


def test_the_published_example_of_the_standard_comes_out_the_same():
    signature = _signature(
        b'{"test": 2432232314}',
        secret=b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        instant=datetime.fromtimestamp(1614265330, UTC),
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_instant_counts_not_the_zone_it_is_written_in():
    _, here = sent(answer(), at=AT.astimezone(timezone(timedelta(hours=5))))
    _, there = sent(answer(), at=AT)
    for name in ("webhook-timestamp", "webhook-signature"):
        assert here.headers[name] == there.headers[name]


def test_a_secret_without_the_prefix_is_the_key_itself():
    _, plain = sent(answer(), secret=KEY)
    _, prefixed = sent(answer(), secret=SECRET)
    assert plain.headers["webhook-signature"] == prefixed.headers["webhook-signature"]


def test_without_a_secret_a_webhook_is_not_signed():
    _, call = sent(answer(), secret=None)
    assert (call.headers["webhook-id"], "webhook-signature" in call.headers) == ("msg_7_3", False)


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"id": 7}', {"id": 7}),
        (b" [1, 2.5, null] ", [1, 2.5, None]),
        (json.dumps("x" * 65534).encode(), "x" * 65534),
        (json.dumps("x" * 65535).encode(), None),
        (b"", None),
        (b"OK", None),
        (b"\xff\xfe\xfd", None),
        (b"[NaN]", None),
        (b"[1e999]", None),
        (b'"\\u0000"', None),
        (b'"\\ud800"', None),
        (b"[" * 60_000, None),
        (b"9" * 5000, None),
    ],
)
def test_an_answer_is_kept_where_it_is_json_that_can_be_stored(body, data):
    receipt, _ = sent(answer(202, body))
    assert receipt == Receipt(status=202, data=data)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422, 451, 499])
def test_a_refusal_of_the_receiver_is_permanent(status):
    assert str(refused(Permanent, answer(status, b"body"))) == f"The receiver answered {status}."


@pytest.mark.parametrize("status", [301, 302, 307, 304, 408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_temporary(status):
    error = refused(Temporary, answer(status))
    assert (str(error), error.retry_after_s) == (f"The receiver answered {status}.", None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("86400", 3600), ("-1", None), ("soon", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_the_wait_its_receiver_asks_for_is_told_up_to_an_hour(header, seconds):
    assert refused(Temporary, answer(503, retry_after=header)).retry_after_s == seconds


def test_a_broken_connection_is_temporary():
    assert str(refused(Temporary, raw([]))) == "The call to 127.0.0.1 failed: it does not speak HTTP."


def test_an_address_that_may_not_be_called_is_permanent(settings):
    settings.OUTGOING_ALLOWED_ADDRESSES = []
    with receiving(answer()) as there, pytest.raises(Permanent) as failed:
        deliver(url=there.url(), body={}, secret=None, message_id="m", at=AT)
    assert str(failed.value) == "127.0.0.1 may not be called: it is a loopback address."
    assert there.calls == []


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": float("inf")}, {"a": AT}, {"a": b"x"}, {"a": "\ud800"}])
def test_a_body_that_is_no_json_is_permanent(body):
    with pytest.raises(Permanent, match=r"^The body cannot be written as JSON\.$"):
        deliver(url="https://example.org/", body=body, secret=None, message_id="m", at=AT)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (b"", "The secret cannot sign: it is empty."),
        (b"whsec_", "The secret cannot sign: it is empty."),
        (b"whsec_not base64", "The secret cannot sign: after whsec_ it must go on in base64."),
    ],
)
def test_a_secret_that_cannot_sign_is_permanent_and_is_not_told(secret, said):
    with pytest.raises(Permanent) as failed:
        deliver(url="https://example.org/", body={}, secret=secret, message_id="m", at=AT)
    assert str(failed.value) == said


@pytest.mark.parametrize(("message_id", "at"), [("a.b", AT), ("", AT), ("a\r\nb", AT), ("a", AT.replace(tzinfo=None))])
def test_ids_that_would_blur_what_is_signed_are_a_mistake_of_the_caller(message_id, at):
    with pytest.raises(ValueError, match="message_id takes"):
        deliver(url="https://example.org/", body={}, secret=SECRET, message_id=message_id, at=at)
