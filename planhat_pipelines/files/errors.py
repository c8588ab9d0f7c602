"""What can go wrong with S3, sorted by what helps.

FilesError
├── Permanent            a retry cannot help; somebody has to change something
│   ├── SignInError      key, secret, token, profile, role, or this machine's clock
│   ├── AccessDenied     signed in, but not allowed to
│   ├── WrongRegion      the bucket is elsewhere
│   └── NoSuchBucket
├── Temporary            the network or S3; the next run may do better
│   └── Damaged          other bytes came than were announced
├── NotThere             no such object, or no such version of it
├── Changed              the object is not the one that was listed
└── Superseded           a drop was overwritten or taken away before it could be read
"""

from __future__ import annotations

from typing import Any, cast

from planhat_pipelines.files.names import shown

RIGHTS = (
    "s3:ListBucket on the bucket; s3:GetObject and s3:DeleteObject on the inbox (s3:GetObjectVersion too in a "
    "versioned bucket); s3:PutObject and s3:GetObject on processed/, failed/ and rejected/; kms:Decrypt and "
    "kms:GenerateDataKey when the bucket is encrypted with a KMS key"
)

STALE = {
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "400",  # an answer to HEAD has no body to say more
    "403",
}
"""Codes that other credentials may cure."""

_SIGN_IN = {
    "InvalidAccessKeyId": "the access key id is unknown, deleted or switched off; or these are temporary keys "
    "without their session token. Check the key in IAM, or give the session token",
    "InvalidClientTokenId": "the access key id is unknown, deleted or switched off. Check the key in IAM",
    "SignatureDoesNotMatch": "the secret does not belong to this access key id. Copy it again, without a blank "
    "or line end",
    "ExpiredToken": "the temporary keys have ended. Renew them, or name a role or profile that renews by itself",
    "ExpiredTokenException": "the temporary keys have ended. Renew them, or name a role or profile that renews "
    "by itself",
    "TokenRefreshRequired": "the temporary keys have ended. Renew them",
    "InvalidToken": "the session token is damaged, or belongs to other keys. Copy key, secret and token again",
    "RequestTimeTooSkewed": "this machine's clock is off by more than 15 minutes. Set the clock (NTP)",
    "RequestExpired": "this machine's clock is off by more than 15 minutes. Set the clock (NTP)",
    "NotSignedUp": "the account of these keys has no S3",
}
_WRONG_REGION = {
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "TemporaryRedirect",
    "IllegalLocationConstraintException",
    "301",
    "307",
}
_NOT_THERE = {"NoSuchKey", "NoSuchVersion", "NotFound", "404"}
_CHANGED = {"PreconditionFailed", "412"}
_TEMPORARY = {
    "ConditionalRequestConflict",
    "OperationAborted",
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "Throttling",
    "RequestLimitExceeded",
}


class FilesError(Exception):
    """Base of everything this package raises."""


class Permanent(FilesError):
    """A retry cannot help."""


class SignInError(Permanent):
    """AWS did not let us in."""


class AccessDenied(Permanent):
    """Signed in, but not allowed to do this."""


class WrongRegion(Permanent):
    """The bucket is in another region."""


class NoSuchBucket(Permanent):
    """No such bucket, or another account's, seen without rights."""


class Temporary(FilesError):
    """The next run may do better."""


class Damaged(Temporary):
    """Other bytes came than were announced."""


class NotThere(FilesError):
    """No such object, or no such version of it."""


class Changed(FilesError):
    """The object is not the one that was listed."""


class Superseded(FilesError):
    """A drop was overwritten or taken away before it could be read; what lies there now is another drop."""


def code_of(error: Exception) -> str:
    """The code in an answer of AWS; empty for an error that is no answer."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def translated(error: Exception, doing: str) -> FilesError:
    """An error of botocore as one of ours. `doing` says what was tried; no key, secret or token is repeated."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return _unanswered(error, doing)
    response = cast("dict[str, Any]", error.response)
    code = code_of(error)
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    told = shown(str(response.get("Error", {}).get("Message", "")), 300)
    answer = f"{doing}: AWS answered {status} {code}"
    if error.operation_name.startswith("AssumeRole") and code in {"AccessDenied", "ValidationError"}:
        return SignInError(
            f"{answer} to AssumeRole: wrong role ARN, a trust policy that does not name this identity, or a "
            f"missing or wrong external id; STS does not say which. {told}"
        )
    if code in _SIGN_IN:
        return SignInError(f"{answer}: {_SIGN_IN[code]}.")
    if code == "NoSuchBucket":
        return NoSuchBucket(
            f"{answer}: no bucket of this name, or another account's that these credentials may not see. "
            "Check the name, and the endpoint if one is set."
        )
    if code in _WRONG_REGION:
        return WrongRegion(f"{answer}: {_region_advice(response)}")
    if code in {"AccessDenied", "AllAccessDisabled", "403"}:
        return AccessDenied(f"{answer}: {told}. A sync needs {RIGHTS}.")
    if code in _CHANGED:
        return Changed(f"{answer}: it is not the object that was listed.")
    if code in _NOT_THERE:
        return NotThere(f"{answer}: there is no such object.")
    if code in _TEMPORARY or status >= 500 or status == 429:
        return Temporary(f"{answer}: {told}. The next run tries again.")
    return FilesError(f"{answer}: {told}.")


def _region_advice(response: dict[str, Any]) -> str:
    headers: dict[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
    if region:
        return f"the bucket is in another region. Set region: {shown(str(region), 40)[1:-1]}."
    return "the bucket is in another region, and the answer does not say which; the S3 console does."


def _unanswered(error: Exception, doing: str) -> FilesError:
    from botocore import exceptions as e

    missing = (e.NoCredentialsError, e.PartialCredentialsError, e.ProfileNotFound, e.CredentialRetrievalError)
    if isinstance(error, missing):
        return SignInError(
            f"{doing}: there are no usable AWS credentials here: {shown(str(error), 300)}. Give an access key, a "
            "profile, a secret file, or run where the machine has a role."
        )
    if isinstance(error, (e.HTTPClientError, e.EndpointConnectionError, e.ConnectionError)):
        return Temporary(
            f"{doing}: S3 could not be reached ({type(error).__name__}). {shown(str(error), 200)}"
        )
    if isinstance(error, (e.IncompleteReadError, e.FlexibleChecksumError, e.ChecksumError)):
        return Damaged(f"{doing}: the answer was cut short or damaged. The next run reads again.")
    return FilesError(f"{doing}: {type(error).__name__}: {shown(str(error), 300)}")
