"""Alerts arrive at a webhook and by mail, and give no secret away when they do not."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_string, policy

import pytest

from planhat_pipelines.engine.alerts import Alert, AlertNotSent, Line, Receivers
from planhat_pipelines.engine.environment import NotConfigured, alert_receivers
from planhat_pipelines_tests.receivers import MailServer, Webhook, running

ALERT = Alert(
    "accounts fails", [Line("MappingError: <a> & b", "https://dagster.example/runs/1"), Line("no link")]
)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running(Webhook()) as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with running(MailServer()) as server:
        yield server


def receivers(mail: MailServer, **more: str) -> Receivers:
    host, port = mail.server_address
    usual = {"mail_to": "ann@example.com, ben@example.com", "smtp_security": "none"}
    return Receivers(**(usual | {"smtp_host": str(host), "smtp_port": str(port)} | more))  # type: ignore[arg-type]


def test_a_webhook_gets_slacks_form_with_links_and_nothing_that_slack_would_read_as_markup(
    webhook: Webhook,
) -> None:
    Receivers(webhook=webhook.url).send(ALERT)
    assert webhook.got == [
        {
            "text": "*accounts fails*\n<https://dagster.example/runs/1|MappingError: &lt;a&gt; &amp; b>\nno link"
        }
    ]


def test_mail_goes_to_all_with_the_link_below_its_line(mail: MailServer) -> None:
    receivers(mail, mail_from="syncs@example.com", smtp_user="syncs", smtp_password="pass").send(ALERT)
    ((sender, to, text),) = mail.got
    message = message_from_string(text, policy=policy.default)
    assert (sender, to) == ("syncs@example.com", ["ann@example.com", "ben@example.com"])
    assert message["Subject"] == "accounts fails"
    assert message.get_content() == "MappingError: <a> & b\n  https://dagster.example/runs/1\nno link\n"


def test_a_mail_is_not_sent_in_clear_where_tls_was_asked_for(mail: MailServer) -> None:
    with pytest.raises(AlertNotSent, match=r"took no alert \(SMTPNotSupportedError, security starttls\)"):
        receivers(mail, smtp_security="starttls").send(ALERT)
    assert mail.got == []


def test_who_does_not_take_it_is_named_without_the_secret_and_the_others_still_get_it(
    webhook: Webhook, mail: MailServer
) -> None:
    webhook.status = 404
    both = receivers(mail, webhook=webhook.url)
    with pytest.raises(AlertNotSent) as error:
        both.send(ALERT)
    assert str(error.value) == "The webhook at 127.0.0.1 took no alert: it answered 404."
    assert "secret" not in repr(both)
    assert len(mail.got) == 1


def test_a_webhook_that_points_elsewhere_or_is_not_there_is_an_error_without_its_address(
    webhook: Webhook,
) -> None:
    webhook.status = 302
    with pytest.raises(AlertNotSent, match="it answered 302"):
        Receivers(webhook=webhook.url).send(ALERT)
    with pytest.raises(AlertNotSent, match=r"at 127.0.0.1 took no alert: ConnectionError\.$"):
        Receivers(webhook="http://127.0.0.1:9/services/secret").send(ALERT)


def test_nobody_is_told_unless_somebody_is_named() -> None:
    assert not alert_receivers({})
    assert alert_receivers({"PLANHAT_ALERT_WEBHOOK": "https://hooks.example/x"})
    assert alert_receivers({"PLANHAT_DAGSTER_URL": "https://d.example/"}).link("assets", "a b") == (
        "https://d.example/assets/a%20b"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEBHOOK", "hooks.slack.com/x", "begins with https://"),
        ("MAIL_TO", "ann@example.com", "PLANHAT_ALERT_SMTP_HOST"),
        ("SMTP_SECURITY", "ssl", "starttls, tls, none"),
        ("SMTP_PORT", "many", "whole number"),
        ("REFUSED", "5", "between 0 and 1"),
        ("REFUSED", "5%", "between 0 and 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_words(name: str, value: str, said: str) -> None:
    with pytest.raises(NotConfigured, match=said):
        alert_receivers({f"PLANHAT_ALERT_{name}": value})
