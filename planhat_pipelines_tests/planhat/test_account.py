from __future__ import annotations

import logging
from secrets import token_hex

import pytest

from planhat_pipelines.planhat.account import Account, masked

SECRET = "s3cret-0123456789"


def test_tokens_are_stripped_of_the_line_break_they_were_pasted_with() -> None:
    account = Account(f"  {SECRET}\n", "\ttenant-token\r\n")
    assert (account.token, account.tenant) == (SECRET, "tenant-token")


@pytest.mark.parametrize("token", ["", "  ", f"{SECRET}\nX", f"{SECRET} x", f"{SECRET}\x00", f"{SECRET}é"])
def test_a_token_with_a_character_no_token_has_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="Private App") as caught:
        Account(token)
    assert SECRET not in str(caught.value)


def test_no_repr_shows_a_token() -> None:
    account = Account(SECRET, "tenant-0123456789")
    assert SECRET not in repr(account)
    assert "tenant-0123456789" not in repr(account)


@pytest.mark.parametrize("length", [170, 1000])
def test_a_token_may_have_any_length(length: int) -> None:
    assert len(Account(token_hex(length)).token) == 2 * length


@pytest.mark.parametrize(
    "url", ["https://api-us3.planhat.com/", "http://127.0.0.1:8080", "http://localhost:1/x/"]
)
def test_an_address_is_taken_without_its_last_slash(url: str) -> None:
    assert Account(SECRET, api_url=url).api_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "api.planhat.com",
        "ftp://api.planhat.com",
        "https://user:pw@api.planhat.com",
        "https://h/?a=1",
        "https://",
    ],
)
def test_an_address_that_cannot_be_right_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="analytics_url"):
        Account(SECRET, analytics_url=url)


def test_plain_http_is_refused_but_on_this_machine() -> None:
    with pytest.raises(ValueError, match="https"):
        Account(SECRET, api_url="http://api.planhat.com")


def test_masking_takes_tokens_and_e_mail_addresses_out() -> None:
    Account(SECRET)
    text = masked(f'token {SECRET}, "Zoë Q" <zoe.q+x@example.co.uk>, key a-17')
    assert text == 'token [token], "Zoë Q" <[e-mail]>, key a-17'


def test_the_http_library_logs_no_token(caplog: pytest.LogCaptureFixture) -> None:
    Account(SECRET)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("POST %s", f"/dimensiondata/{SECRET}")
    assert "/dimensiondata/[token]" in caplog.text
