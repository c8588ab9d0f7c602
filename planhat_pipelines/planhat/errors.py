"""What can go wrong with Planhat, sorted by what the caller should do about it.

    PlanhatError
    ├── Permanent              a person has to change something; sending the same again is useless
    │   ├── SignInError        401, or no tenant token: token, region
    │   ├── PermissionDenied   403: the Private App lacks a permission
    │   ├── NotFound           404: no such path, record or tenant
    │   ├── TooLarge           413: halve the batch
    │   └── BadRequest         400 and every other answer that asks for another request
    ├── Temporary              the next run may succeed; the call was retried already where that is safe
    │   ├── NotSent            certain: Planhat took nothing of it
    │   │   ├── Unreachable    no connection: name, network, proxy, certificate
    │   │   └── Throttled      429, or 503 with Retry-After
    │   ├── TimedOut           408, or no answer in time
    │   ├── ConnectionLost     the connection broke after the request had begun
    │   ├── ServerError        5xx
    │   └── UnreadableAnswer   a success whose body is not what Planhat documents
    ├── Doubt                  metrics and activities only: may have been stored, so not sent again
    └── OutOfCalls             a limit that we set ourselves, see Planhat.limited

Calls to the main API are safe to repeat, so all that is Temporary may have been stored there in part. On the
analytics host, which appends, only NotSent and Permanent are certain: nothing was stored. All else is Doubt.

No message holds a token; Planhat's own words are cut to 300 characters and rid of e-mail addresses.
"""

from __future__ import annotations


class PlanhatError(Exception):
    """Base of all. `call` is method and path, `status` and `said` (masked) the answer's, if there was one."""

    def __init__(self, message: str, *, call: str = "", status: int | None = None, said: str = "") -> None:
        super().__init__(message)
        self.call = call
        self.status = status
        self.said = said


class Permanent(PlanhatError): ...


class SignInError(Permanent): ...


class PermissionDenied(Permanent): ...


class NotFound(Permanent): ...


class TooLarge(Permanent): ...


class BadRequest(Permanent): ...


class Temporary(PlanhatError):
    """`wait`: seconds that Planhat asked to wait, if it did."""

    wait: float | None = None

    def __str__(self) -> str:
        return f"{self.args[0]} The next run tries again."


class NotSent(Temporary): ...


class Unreachable(NotSent): ...


class Throttled(NotSent): ...


class TimedOut(Temporary): ...


class ConnectionLost(Temporary): ...


class ServerError(Temporary): ...


class UnreadableAnswer(Temporary): ...


class Doubt(PlanhatError): ...


class OutOfCalls(PlanhatError): ...
