from __future__ import annotations

import logging
import pickle
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from planhat_pipelines.planhat import errors
from planhat_pipelines.planhat.account import Account
from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.replies import Reply, Request
from planhat_pipelines.planhat.transport import Patience
from planhat_pipelines_tests.planhat.conftest import TENANT, TOKEN, Far, Seen

COMPANY = model("company")
OK: Any = (200, [])
ACCEPTED: Any = (200, {"processed": 1, "errors": []})


class CountedTurns:
    """A budget that counts."""

    def __init__(self) -> None:
        self.turns, self.held, self.pauses = 0, 0, list[float]()

    @contextmanager
    def call(self) -> Generator[None]:
        self.turns += 1
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def throttled(self, wait: float) -> None:
        self.pauses.append(wait)


def unused_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


# -- signing in


def test_the_probe_reads_one_company_with_the_bearer_token(far: Far, client: Planhat) -> None:
    far.answers = [OK]
    client.probe()
    [seen] = far.seen
    assert (seen.method, seen.path, seen.params) == ("GET", "/companies", {"limit": "1"})
    assert seen.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, errors.BadRequest, "not repeated"),
        (401, errors.SignInError, "region"),
        (403, errors.PermissionDenied, "permission"),
        (404, errors.NotFound, "no such path"),
        (413, errors.TooLarge, "less at once"),
        (302, errors.BadRequest, "address itself"),
    ],
)
def test_what_a_person_must_change_is_told_at_once_and_never_repeated(
    far: Far, client: Planhat, slept: list[float], status: int, kind: type[errors.Permanent], words: str
) -> None:
    far.answers = [(status, b"no, zoe@example.com")]
    with pytest.raises(kind, match=words) as caught:
        client.probe()
    assert (caught.value.call, caught.value.status, caught.value.said) == (
        "GET /companies",
        status,
        "no, [e-mail]",
    )
    assert (len(far.seen), slept) == (1, [])


def test_a_sign_in_error_names_the_address_and_not_the_token(far: Far, client: Planhat) -> None:
    far.answers = [(401, TOKEN.encode())]
    with pytest.raises(errors.SignInError) as caught:
        client.probe()
    assert far.url.removeprefix("http://") in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_netrc_entry_does_not_replace_the_token(
    far: Far, client: Planhat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    far.answers = [OK]
    client.probe()
    assert far.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_no_token_follows_a_redirect(far: Far, client: Planhat) -> None:
    far.answers = [(307, b"", {"Location": "/elsewhere"})]
    with pytest.raises(errors.BadRequest):
        client.probe()
    assert len(far.seen) == 1


def test_the_proxy_of_the_environment_is_used(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", far.url)
    monkeypatch.setenv("no_proxy", "")
    far.answers = [OK]
    with Planhat(Account(TOKEN, api_url=unused_url())) as client:
        client.probe()
    assert far.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"


# -- repeating


@pytest.mark.parametrize(
    "answer",
    [(408, b""), (429, b""), (500, b""), (502, b""), (503, b""), (504, b""), "drop", "cut", "silent"],
)
def test_what_may_pass_by_itself_is_tried_again(
    far: Far, client: Planhat, slept: list[float], answer: Any
) -> None:
    far.answers = [answer, OK]
    client.probe()
    assert len(far.seen) == 2
    assert len(slept) == 1


@pytest.mark.parametrize(
    "body", [b"<html>Sign in to the network</html>", b'{"message": "soon"}', b"", b'["x"]']
)
def test_a_list_that_is_none_is_asked_for_again(far: Far, client: Planhat, body: bytes) -> None:
    far.answers = [(200, body), OK]
    client.probe()
    assert len(far.seen) == 2


def test_an_upsert_is_sent_again_after_an_answer_that_got_lost(far: Far, client: Planhat) -> None:
    far.answers = [
        (500, b"<html>oops</html>"),
        "cut",
        "drop",
        (200, {"created": 0, "updated": 0, "nonupdates": 1}),
    ]
    answer = client.upsert(COMPANY, b'[{"externalId":"1"}]', 1)
    assert (answer.unchanged, len(far.seen)) == (1, 4)
    assert {seen.body for seen in far.seen} == {b'[{"externalId":"1"}]'}


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_heeded_and_told_to_the_budget(far: Far, slept: list[float], status: int) -> None:
    budget = CountedTurns()
    far.answers = [(status, b"", {"Retry-After": "7"}), OK]
    with Planhat(Account(TOKEN, api_url=far.url), budget=budget, sleep=slept.append) as client:
        client.probe()
    assert (slept, budget.pauses, budget.turns) == ([7.0], [7.0], 2)


def test_a_far_side_that_says_to_wait_no_time_is_not_hammered(
    far: Far, client: Planhat, slept: list[float]
) -> None:
    far.answers = [(429, b"", {"Retry-After": "0"}), OK]
    client.probe()
    assert slept == [1.0]


def test_retry_after_may_be_a_date(far: Far, client: Planhat, slept: list[float]) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    far.answers = [(429, b"", {"Retry-After": date}), OK]
    client.probe()
    assert 25 <= slept[0] <= 30


def test_without_retry_after_the_waits_grow_from_15_seconds(
    far: Far, client: Planhat, slept: list[float]
) -> None:
    far.answers = [(429, b"")] * 6
    with pytest.raises(errors.Throttled):
        client.probe()
    assert slept == [15, 30, 60, 120, 120]


def test_no_turn_is_held_while_waiting(far: Far) -> None:
    budget = CountedTurns()
    held: list[int] = []
    far.answers = [(500, b""), OK]
    with Planhat(
        Account(TOKEN, api_url=far.url), budget=budget, sleep=lambda _: held.append(budget.held)
    ) as client:
        client.probe()
    assert held == [0]


def test_a_wait_beyond_the_total_bound_ends_the_call(far: Far, client: Planhat, slept: list[float]) -> None:
    far.answers = [(429, b"", {"Retry-After": "86400"})]
    with pytest.raises(errors.Throttled, match="next run") as caught:
        client.probe()
    assert (caught.value.wait, slept) == (86400, [])


def test_nobody_there_is_unreachable_and_surely_not_sent(slept: list[float]) -> None:
    url = unused_url()
    with Planhat(Account(TOKEN, TENANT, url, url), sleep=slept.append) as client:
        with pytest.raises(errors.Unreachable, match=url.removeprefix("http://")):
            client.probe()
        with pytest.raises(errors.NotSent):
            client.metrics(b"[]")
    assert len(slept) == 10


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path, slept: list[float]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with suppress(OSError), listener.accept()[0] as connection:
                context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=greet)
        thread.start()
        account = Account(TOKEN, api_url=f"https://localhost:{listener.getsockname()[1]}")
        patience = Patience(attempts=1)
        with (
            Planhat(account, patience=patience, sleep=slept.append) as client,
            pytest.raises(errors.Unreachable, match="certificate is not trusted"),
        ):
            client.probe()
        thread.join(5)


def test_an_answer_that_drips_in_is_cut_off_by_the_total_bound() -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not over.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        account = Account(TOKEN, api_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        try:
            with (
                Planhat(account, patience=Patience(read=5, total=0.3)) as client,
                pytest.raises(errors.TimedOut),
            ):
                client.probe()
        finally:
            over.set()
            thread.join(5)
    assert time.monotonic() - began < 3


def test_threads_share_a_client(far: Far, client: Planhat) -> None:
    far.answer = lambda _: OK
    threads = [threading.Thread(target=client.probe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(far.seen) == 8


# -- metrics and activities


@pytest.mark.parametrize(
    ("send", "path"),
    [(Planhat.metrics, f"/dimensiondata/{TENANT}"), (Planhat.activities, f"/analytics/bulk/{TENANT}")],
)
def test_time_series_go_to_the_tenants_path_without_the_access_token(
    far: Far, client: Planhat, send: Callable[[Planhat, bytes], Any], path: str
) -> None:
    far.answers = [ACCEPTED]
    assert send(client, b"[1]") == ()
    [seen] = far.seen
    assert (seen.method, seen.path, seen.body) == ("POST", path, b"[1]")
    assert "Authorization" not in seen.headers


@pytest.mark.parametrize("body", [b"", b"{}", b"OK", b'{"processed": 3}', b"[]", b"null"])
def test_any_success_counts_as_received(far: Far, client: Planhat, body: bytes) -> None:
    far.answers = [(201, body)]
    assert client.metrics(b"[]") == ()


def test_complaints_of_the_analytics_host_are_handed_on_masked(far: Far, client: Planhat) -> None:
    far.answers = [(200, {"processed": 1, "errors": ["bad model", {"message": "zoe@example.com unknown"}]})]
    assert client.metrics(b"[]") == ("bad model", "[e-mail] unknown")


@pytest.mark.parametrize(
    "answer",
    [
        "drop",
        "cut",
        "silent",
        (408, b""),
        (500, b""),
        (502, b""),
        (503, b""),
        (504, b""),
        (200, b"<html>hello</html>"),
    ],
)
@pytest.mark.parametrize("send", [Planhat.metrics, Planhat.activities])
def test_what_may_have_been_stored_is_a_doubt_and_not_sent_again(
    far: Far, client: Planhat, slept: list[float], answer: Any, send: Callable[[Planhat, bytes], Any]
) -> None:
    far.answers = [answer]
    with pytest.raises(errors.Doubt, match="not sent again"):
        send(client, b"[]")
    assert (len(far.seen), slept) == (1, [])


@pytest.mark.parametrize("answer", [(429, b""), (503, b"", {"Retry-After": "2"})])
def test_metrics_that_were_turned_away_are_sent_again(far: Far, client: Planhat, answer: Any) -> None:
    far.answers = [answer, answer, ACCEPTED]
    client.metrics(b"[]")
    assert len(far.seen) == 3


def test_metrics_turned_away_to_the_last_are_surely_not_stored(far: Far, client: Planhat) -> None:
    far.answer = lambda _: (429, b"")
    with pytest.raises(errors.NotSent):
        client.metrics(b"[]")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_metrics_that_are_refused_are_surely_not_stored(far: Far, client: Planhat, status: int) -> None:
    far.answers = [(status, b"")]
    with pytest.raises(errors.Permanent):
        client.metrics(b"[]")


def test_metrics_take_no_turn_of_the_call_budget(far: Far) -> None:
    budget = CountedTurns()
    far.answers = [ACCEPTED]
    with Planhat(Account(TOKEN, TENANT, far.url, far.url), budget=budget) as client:
        client.metrics(b"[]")
    assert budget.turns == 0


def test_metrics_without_a_tenant_token_are_a_sign_in_error(far: Far) -> None:
    with Planhat(Account(TOKEN, None, far.url, far.url)) as client, pytest.raises(errors.SignInError):
        client.metrics(b"[]")
    assert not far.seen


@pytest.mark.parametrize(
    "answer", ["drop", "cut", (500, f"tenant {TENANT}".encode()), (404, TENANT.encode()), (429, b"")]
)
def test_no_error_and_no_log_line_shows_the_tenant_token(
    far: Far, client: Planhat, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    far.answer = lambda _: answer
    with pytest.raises(errors.PlanhatError) as caught:
        client.metrics(b"[]")
    chain: list[BaseException | None] = [caught.value, caught.value.__context__, caught.value.__cause__]
    assert TENANT not in "".join(map(repr, chain)) + caplog.text
    assert TOKEN not in caplog.text
    assert "POST /dimensiondata/" in str(caught.value)


def test_an_unreachable_analytics_host_does_not_show_the_tenant_token(
    caplog: pytest.LogCaptureFixture, slept: list[float]
) -> None:
    caplog.set_level(logging.DEBUG)
    url = unused_url()
    with (
        Planhat(Account(TOKEN, TENANT, url, url), sleep=slept.append) as client,
        pytest.raises(errors.Unreachable) as caught,
    ):
        client.metrics(b"[]")
    assert TENANT not in repr((caught.value, caught.value.__context__)) + caplog.text


def test_no_repr_of_a_request_or_reply_shows_a_secret_or_a_value() -> None:
    request = Request("PUT", f"http://h/{TENANT}", "/x", {"Authorization": f"Bearer {TOKEN}"}, None, b"Zoe")
    shown = repr(request) + str(request) + repr(Reply(200, {}, b"Zoe"))
    assert not any(secret in shown for secret in (TENANT, TOKEN, "Zoe"))


def test_errors_survive_the_way_to_another_process(far: Far, client: Planhat) -> None:
    far.answers = [(404, b"gone")]
    with pytest.raises(errors.NotFound) as caught:
        client.probe()
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (str(again), again.status, again.said) == (str(caught.value), 404, "gone")


# -- single records


def test_a_record_is_asked_for_by_each_kind_of_id(far: Far, client: Planhat) -> None:
    def answer(seen: Seen) -> Any:
        return (
            (200, [{"_id": "1", "email": "other@x.se"}, {"_id": "2", "email": "a@x.se"}])
            if seen.params
            else (200, {"_id": "3"})
        )

    far.answer = answer
    enduser = model("enduser")
    assert client.record(enduser, "_id", "65f0") == {"_id": "3"}
    assert client.record(enduser, "externalId", "a/b c") == {"_id": "3"}
    assert client.record(enduser, "sourceId", "x") == {"_id": "3"}
    found = client.record(enduser, "email", "a@x.se")
    assert found is not None
    assert found["_id"] == "2"
    paths = [seen.path for seen in far.seen]
    assert paths == ["/endusers/65f0", "/endusers/extid-a%2Fb%20c", "/endusers/srcid-x", "/endusers"]


def test_a_record_that_is_not_there_is_none_and_an_empty_id_is_refused(far: Far, client: Planhat) -> None:
    far.answers = [(404, b"")]
    assert client.record(COMPANY, "externalId", "x") is None
    with pytest.raises(ValueError, match="whole list"):
        client.record(COMPANY, "_id", "")


def test_models_without_bulk_and_empty_batches_are_not_sent(far: Far, client: Planhat) -> None:
    for bad, items in ((model("custom_field"), 1), (COMPANY, 0)):
        with pytest.raises(ValueError, match="no bulk upsert"):
            client.upsert(bad, b"[]", items)
    assert not far.seen
