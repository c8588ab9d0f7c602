"""Private apps with their tokens and permissions, and the tenant token of the analytics host.

Source: Planhat developers, authentication: `Bearer <token>`, or Basic with the token as user and an empty password.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from dataclasses import asdict, dataclass, field

from planhat_pipelines.planhat.catalogue import model
from planhat_pipelines.sandbox.planhat.store import Store

OPERATIONS = ("create", "read", "update", "delete")
EVERYTHING: dict[str, list[str]] = {"*": list(OPERATIONS)}


@dataclass(slots=True)
class App:
    """A private app. `permissions` by model name, "*" for all models not named."""

    name: str
    token: str
    permissions: dict[str, list[str]] = field(default_factory=lambda: dict(EVERYTHING))

    def may(self, operation: str, model: str) -> bool:
        return operation in self.permissions.get(model, self.permissions.get("*", ()))


class Apps:
    """The apps of the tenant, kept in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tenant: str = store.call(store.setting, "tenant") or str(uuid.uuid4())
        self.all = {facts["name"]: App(**facts) for facts in store.call(store.setting, "apps", [])}
        if not self.all:
            self.create("default", EVERYTHING)
        store.call(store.set_setting, "tenant", self.tenant)
        store.call(self.keep)

    def create(self, name: str, permissions: dict[str, list[str]]) -> App:
        """A new app, or a new token and permissions for one of that name. Call `keep` after it."""
        for given, operations in permissions.items():
            if given != "*":
                model(given)
            unknown = set(operations) - set(OPERATIONS)
            if unknown:
                raise ValueError(
                    f"no operation {', '.join(sorted(unknown))}; there are {', '.join(OPERATIONS)}"
                )
        self.all[name] = App(
            name, secrets.token_urlsafe(258), permissions
        )  # real ones have over 340 characters
        return self.all[name]

    def keep(self) -> None:
        self._store.set_setting("apps", [asdict(app) for app in self.all.values()])

    def who(self, authorization: str | None) -> App | None:
        """The app that a header belongs to."""
        token = _token(authorization or "")
        for app in self.all.values():
            if secrets.compare_digest(app.token.encode(), token.encode()):
                return app
        return None

    def is_dock(self, authorization: str | None) -> bool:
        """Whether a Basic header carries the tenant token, as the Segment dock wants it."""
        scheme, _, _ = (authorization or "").partition(" ")
        return scheme.lower() == "basic" and secrets.compare_digest(_token(authorization or ""), self.tenant)


def _token(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode("ascii").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return user if colon and not password else ""
    return ""


def masked(secret: str) -> str:
    """Enough to tell two apart, too little to use."""
    return f"{secret[:4]}…" if secret else ""
