from __future__ import annotations

import ast
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import chain, repeat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from apps.core import clock
from apps.core.errors import Misconfigured
from apps.core.outgoing import Limits, Refused, TooLarge, TooSlow, Unreachable, allowed_networks, client, send
from tests.core.http_receiver import answer, raw, receiving, resolving

ROOT = Path(__file__).resolve().parent.parent.parent
HOSTED = "hooks.example.test"
HEAD = b"HTTP/1.1 200 OK\r\n"
SHORT_S, PATIENCE_S = 1.0, 60.0


@pytest.fixture(autouse=True)
def _one_address_is_open(settings) -> None:
    settings.OUTGOING_ALLOWED_ADDRESSES = ["127.0.0.1/32"]


@pytest.fixture(scope="module", autouse=True)
def _authorities_are_read() -> None:
    """Reading them takes a part of a second, once in a process: none of a short call's time."""
    client._trust()


def get(url: str, **limits: float) -> client.Answer:
    patient = {"total_s": PATIENCE_S, "connect_s": PATIENCE_S, "read_s": PATIENCE_S}
    return send("GET", url, headers={}, limits=Limits(**{**patient, **limits}))


def test_a_call_arrives_as_it_was_given_and_the_answer_comes_back():
    with receiving(answer(201, b'{"ok": true}', content_type="application/json", x_a="1")) as there:
        came = send("POST", there.url("/in?x=1"), headers={"webhook-id": "msg_1"}, body=b"hello")
    (call,) = there.calls
    assert (call.method, call.path, call.body) == ("POST", "/in?x=1", b"hello")
    assert call.headers == {
        "host": f"127.0.0.1:{there.port}", "user-agent": "ServiceFlow/1", "accept": "*/*", "connection": "close",
        "webhook-id": "msg_1", "content-length": "5",
    }  # fmt: skip
    assert (came.status, came.body, came.cut) == (201, b'{"ok": true}', False)
    assert (came.headers["content-type"], came.headers["x-a"]) == ("application/json", "1")


def test_an_ipv6_address_is_called_by_its_own_name(settings):
    settings.OUTGOING_ALLOWED_ADDRESSES = ["::1/128"]
    with receiving(answer(), address="::1") as there:
        assert get(there.url(host="[::1]")).status == 200
    assert there.calls[0].headers["host"] == f"[::1]:{there.port}"


def test_the_usual_port_is_not_in_the_host_header():
    urls = ("https://example.org", "https://example.org:443/x", "https://EXAMPLE.org:8443", "https://bücher.example/")
    named = [client._authority(client._checked(url)) for url in urls]
    assert named == ["example.org", "example.org", "example.org:8443", "xn--bcher-kva.example"]


@pytest.mark.parametrize("status", [204, 400, 404, 410, 500, 503])
def test_every_status_is_an_answer(status):
    with receiving(answer(status)) as there:
        assert get(there.url()).status == status


def test_a_redirect_is_an_answer_and_is_not_followed():
    with receiving(answer(200)) as private, receiving(answer(302, location=private.url("/admin"))) as there:
        came = get(there.url())
    assert (came.status, came.headers["location"]) == (302, private.url("/admin"))
    assert private.calls == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.org/", "The address must begin with https://."),
        ("file:///etc/passwd", "The address must begin with https://."),
        ("example.org", "The address must begin with https://."),
        ("", "The address must begin with https://."),
        ("https://", "The address names no host."),
        ("https:///path", "The address names no host."),
        ("https://user:pass@example.org/", "The address must hold no user name or password."),
        ("https://user@example.org/", "The address must hold no user name or password."),
        ("https://exa mple.org/", "The address names no host."),
        ("https://example.org/\r\nHost: x", "The address cannot be read as a URL."),
        ("https://example.org:port/", "The address cannot be read as a URL."),
        ("https://[::1/", "The address cannot be read as a URL."),
        ("https://a..b/", "'a..b' is not the name of a host."),
        (f"https://example.org/{'x' * 2048}", "The address is too long: 2,068 characters, at most 2,048 are accepted."),
    ],
)
def test_an_address_that_is_no_web_address_is_refused(url, said):
    with pytest.raises(Refused) as refused:
        get(url)
    assert str(refused.value) == said


def test_http_needs_the_setting(settings):
    settings.OUTGOING_ALLOW_HTTP = False
    with receiving(answer()) as there, pytest.raises(Refused) as refused:
        get(there.url())
    assert str(refused.value) == "The address must begin with https://; http is allowed by OUTGOING_ALLOW_HTTP only."
    assert there.calls == []


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("127.0.0.2", "a loopback address"),
        ("127.2", "a loopback address"),
        ("0x7f000002", "a loopback address"),
        ("2130706434", "a loopback address"),
        ("0.0.0.0", "an unspecified address"),
        ("[::1]", "a loopback address"),
        ("[::ffff:127.0.0.1]", "an IPv4 address wrapped in IPv6"),
        ("169.254.169.254", "a cloud's metadata service"),
        ("10.0.0.1", "a private address"),
    ],
)
def test_an_address_that_is_not_public_is_refused_however_it_is_written(host, problem):
    with receiving(answer(), address="0.0.0.0") as there, pytest.raises(Refused) as refused:
        get(there.url(host=host))
    assert str(refused.value) == f"{host.strip('[]')} may not be called: it is {problem}."
    assert there.calls == []


def test_without_the_setting_this_machine_is_closed(settings):
    settings.OUTGOING_ALLOWED_ADDRESSES = []
    with receiving(answer()) as there, pytest.raises(Refused):
        get(there.url())
    assert there.calls == []


def test_a_name_with_a_private_address_is_refused():
    with receiving(answer()) as there, resolving({HOSTED: [["10.0.0.1"]]}), pytest.raises(Refused) as refused:
        get(there.url(host=HOSTED))
    assert str(refused.value) == f"{HOSTED} may not be called: it is a private address."


def test_a_name_with_one_private_address_among_others_is_refused():
    with receiving(answer()) as there, resolving({HOSTED: [["127.0.0.1", "127.0.0.2"]]}), pytest.raises(Refused):
        get(there.url(host=HOSTED))
    assert there.calls == []


def test_a_name_that_changes_its_mind_is_asked_once_and_called_where_it_was_checked():
    with (
        receiving(answer(200, b"checked"), address="127.0.0.1") as there,
        resolving({HOSTED: [["127.0.0.1"], ["127.0.0.2"]]}) as asked,
    ):
        came = get(there.url(host=HOSTED))
    assert (came.body, asked) == (b"checked", [HOSTED])
    assert there.calls[0].headers["host"] == f"{HOSTED}:{there.port}"


def test_the_next_address_is_tried_where_one_does_not_answer(settings):
    settings.OUTGOING_ALLOWED_ADDRESSES = ["127.0.0.0/8"]
    with receiving(answer(200, b"here")) as there, resolving({HOSTED: [["127.0.0.9", "127.0.0.1"]]}):
        assert get(there.url(host=HOSTED)).body == b"here"


def test_a_name_that_does_not_resolve_is_unreachable():
    with pytest.raises(Unreachable) as failed:
        get("https://nothing.invalid/")
    assert str(failed.value) == "The name nothing.invalid could not be resolved."


def test_a_resolver_that_hangs_is_left_behind(monkeypatch):
    over, ended = threading.Event(), []

    def hang(*args: object, **kwargs: object) -> list[object]:
        over.wait(PATIENCE_S)
        ended.append("the resolver")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(TooSlow) as failed:
        get("https://slow.example.test/", total_s=SHORT_S)
    ended.append("the call")
    over.set()
    assert str(failed.value) == "The name slow.example.test was not resolved in time."
    assert ended[0] == "the call"


def test_a_port_where_nobody_listens_is_unreachable():
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable) as failed:
            get(f"http://127.0.0.1:{nobody.getsockname()[1]}/")
    assert str(failed.value) == "The call to 127.0.0.1 failed: no connection could be made."


@pytest.mark.parametrize("limits", [{"read_s": SHORT_S}, {"total_s": SHORT_S}], ids=["one read", "the whole call"])
def test_an_answer_that_does_not_come_is_too_slow(limits):
    over = threading.Event()
    with receiving(lambda _: over.wait(PATIENCE_S)) as there, pytest.raises(TooSlow) as failed:
        get(there.url(), **limits)
    over.set()
    assert str(failed.value) == "127.0.0.1 did not answer in time."


@pytest.mark.parametrize(
    "parts",
    [
        chain([HEAD], repeat(b"x: y\r\n")),
        chain([HEAD + b"\r\n"], repeat(b"x")),
        repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["the head", "the body", "nothing but 100 Continue"],
)
def test_an_answer_that_drips_without_end_ends_by_the_deadline(parts):
    with receiving(raw(parts, gap=lambda: time.sleep(0.05))) as there, pytest.raises(TooSlow):
        get(there.url(), total_s=SHORT_S)


def test_a_receiver_that_does_not_read_ends_by_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(TooSlow):
            send("POST", url, headers={}, body=b"x" * 20_000_000, limits=Limits(total_s=SHORT_S))


def test_a_body_of_the_largest_size_is_read_whole_and_a_longer_one_is_cut():
    with receiving(answer(200, b"x" * 1000)) as there:
        whole, cut = get(there.url(), most_bytes=1000), get(there.url(), most_bytes=999)
    assert (whole.body, whole.cut) == (b"x" * 1000, False)
    assert (cut.status, cut.body, cut.cut) == (200, b"x" * 999, True)


def test_a_body_without_end_is_cut():
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    endless = repeat(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    with receiving(raw(chain([head], endless))) as there:
        came = get(there.url(), most_bytes=10_000)
    assert (came.body, came.cut) == (b"x" * 10_000, True)


def test_a_head_without_end_is_too_large():
    with receiving(raw([HEAD, *[b"x: " + b"y" * 1000 + b"\r\n"] * 300])) as there, pytest.raises(TooLarge) as failed:
        get(there.url())
    assert str(failed.value) == "The head of the answer of 127.0.0.1 is larger than is read."


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], "it does not speak HTTP"),
        ([], "it does not speak HTTP"),
        ([HEAD + b"Content-Length: 10\r\n\r\nhalf"], "it does not speak HTTP"),
    ],
)
def test_what_is_no_whole_http_answer_is_unreachable(parts, said):
    with receiving(raw(parts)) as there, pytest.raises(Unreachable) as failed:
        get(there.url())
    assert str(failed.value) == f"The call to 127.0.0.1 failed: {said}."


def test_a_header_cannot_smuggle_another():
    with receiving(answer()) as there, pytest.raises(Refused):
        send("GET", there.url(), headers={"x": "1\r\nevil: 1"})
    assert there.calls == []


def test_proxies_and_log_ins_of_the_environment_do_not_count(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with receiving(answer()) as proxy, receiving(answer(200, b"direct", set_cookie="a=b")) as there:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert [get(there.url()).body for _ in range(2)] == [b"direct", b"direct"]
    assert proxy.calls == []
    assert not {"authorization", "cookie"} & {name for call in there.calls for name in call.headers}


def test_what_is_compressed_is_not_unpacked():
    with receiving(answer(200, b"\x1f\x8b", content_encoding="gzip")) as there:
        assert get(there.url()).body == b"\x1f\x8b"


@pytest.mark.parametrize("text", ["ten", "10.0.0.1/8", "10.0.0.0/33"])
def test_a_network_that_cannot_be_read_is_refused_by_name(settings, text):
    settings.OUTGOING_ALLOWED_ADDRESSES = ["10.0.0.0/8", text]
    with pytest.raises(Misconfigured) as refused:
        allowed_networks()
    assert str(refused.value).startswith("OUTGOING_ALLOWED_ADDRESSES: ")
    assert text in str(refused.value)


@pytest.fixture
def certified(tmp_path, monkeypatch) -> Iterator[ssl.SSLContext]:
    """The TLS of a server for HOSTED, whose certificate the system trusts for this test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    day = timedelta(days=1)
    signed = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(clock.now() - day)
        .not_valid_after(clock.now() + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOSTED)]), critical=False)
        .sign(key, SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(plain + signed.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    client._trust.cache_clear()
    yield context
    client._trust.cache_clear()


def test_over_tls_the_certificate_must_be_for_the_name_that_was_asked(certified):
    names = {HOSTED: [["127.0.0.1"]], "other.example.test": [["127.0.0.1"]]}
    with receiving(answer(200, b"safe"), tls=certified) as there, resolving(names):
        came = get(there.url(host=HOSTED, scheme="https"))
        with pytest.raises(Unreachable) as failed:
            get(there.url(host="other.example.test", scheme="https"))
    assert came.body == b"safe"
    assert "Hostname mismatch, certificate is not valid for 'other.example.test'" in str(failed.value)
    assert len(there.calls) == 1


def test_over_tls_a_certificate_nobody_vouches_for_is_not_believed(certified, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        receiving(answer(), tls=certified) as there,
        resolving({HOSTED: [["127.0.0.1"]]}),
        pytest.raises(Unreachable) as failed,
    ):
        get(there.url(host=HOSTED, scheme="https"))
    assert str(failed.value).startswith(f"The call to {HOSTED} failed: its certificate is not valid (")
    assert there.calls == []


def test_a_failure_shows_neither_path_nor_query():
    with receiving(raw([])) as there, pytest.raises(Unreachable) as failed:
        get(there.url("/hook/t0ken?key=t0ken"))
    assert "t0ken" not in str(failed.value)


def test_no_other_module_of_the_apps_speaks_http():
    clients = {"httpx", "httpcore", "http.client", "urllib.request", "urllib3", "aiohttp", "requests"}
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "apps").rglob("*.py"))
        if path.parent.name != "outgoing"
        for node in ast.walk(ast.parse(path.read_text()))
        for name in imported(node)
        if name in clients
    ]
    assert found == []


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [one.name for one in node.names] if isinstance(node, ast.Import) else []
