"""Tell people that something is wrong, by a webhook in Slack's form and by mail. No customer's value goes into it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import quote, urlsplit

_SECONDS = 20
_SECURITIES = {"starttls": 587, "tls": 465, "none": 25}


class AlertNotSent(Exception):
    """A receiver did not take an alert; the text names it without its secrets."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence, and where to look."""

    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """What happened, in a few words, and its particulars."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who is told, and from which share of refused rows on. Texts, as the environment gives them; ValueError when one
    cannot be right. Without a port, that of the kind of security."""

    webhook: str | None = field(default=None, repr=False)  # its path is a secret
    mail_to: str = ""
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: str = ""
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_security: str = "starttls"
    refused: str = "0.05"
    dagster_url: str = ""

    def __post_init__(self) -> None:
        if self.webhook and urlsplit(self.webhook).scheme not in ("http", "https"):
            raise ValueError("the webhook has to be an address that begins with https://")
        if self.mail_to and not self.smtp_host:
            raise ValueError("mail needs PLANHAT_ALERT_SMTP_HOST, the server that takes it")
        if self.smtp_security not in _SECURITIES:
            raise ValueError(f"the security of SMTP is one of {', '.join(_SECURITIES)}")
        if self.smtp_port and not self.smtp_port.isdecimal():
            raise ValueError("the port of SMTP is a whole number")
        try:
            sound = 0 <= self.refused_share <= 1
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("the share of refused rows lies between 0 and 1, such as 0.05")

    def __bool__(self) -> bool:
        """Whether anybody is told."""
        return bool(self.webhook or self.mail_to)

    @property
    def refused_share(self) -> float:
        """The share of refused rows that is too many."""
        return float(self.refused)

    def link(self, *path: str) -> str | None:
        """A page of Dagster, where its address is known."""
        parts = "/".join(quote(part, safe="") for part in path)
        return f"{self.dagster_url.rstrip('/')}/{parts}" if self.dagster_url else None

    def send(self, alert: Alert) -> None:
        """Tell all of them. Raises AlertNotSent after all were tried."""
        problems: list[str] = []
        for send in [*([self._post] if self.webhook else []), *([self._mail] if self.mail_to else [])]:
            try:
                send(alert)
            except AlertNotSent as error:
                problems.append(str(error))
        if problems:
            raise AlertNotSent(" ".join(problems))

    def _post(self, alert: Alert) -> None:
        import requests

        url = self.webhook or ""
        try:
            answer = requests.post(
                url, json={"text": slack_text(alert)}, timeout=_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:  # its text holds the address, and that the secret
            said = type(error).__name__
        else:
            if 200 <= answer.status_code < 300:
                return
            said = f"it answered {answer.status_code}"
        raise AlertNotSent(f"The webhook at {urlsplit(url).hostname} took no alert: {said}.") from None

    def _mail(self, alert: Alert) -> None:
        message = EmailMessage()
        message["Subject"], message["To"] = alert.title, self.mail_to
        message["From"] = self.mail_from or self.mail_to.split(",")[0].strip()
        message.set_content(
            "\n".join(f"{line.text}\n  {line.link}" if line.link else line.text for line in alert.lines)
        )
        port = int(self.smtp_port or _SECURITIES[self.smtp_security])
        safe = ssl.create_default_context()
        try:
            server = (
                smtplib.SMTP_SSL(self.smtp_host, port, timeout=_SECONDS, context=safe)
                if self.smtp_security == "tls"
                else smtplib.SMTP(self.smtp_host, port, timeout=_SECONDS)
            )
            with server:
                if self.smtp_security == "starttls":
                    server.starttls(context=safe)
                if self.smtp_user:
                    server.login(self.smtp_user, self.smtp_password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise AlertNotSent(
                f"The mail server {self.smtp_host}:{port} took no alert ({type(error).__name__}, security "
                f"{self.smtp_security})."
            ) from None


def slack_text(alert: Alert) -> str:
    """The alert in Slack's own markup, in which &, < and > mean something (Slack documentation, formatting text)."""
    lines = [
        f"<{line.link}|{_escaped(line.text)}>" if line.link else _escaped(line.text) for line in alert.lines
    ]
    return "\n".join([f"*{_escaped(alert.title)}*", *lines])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
