"""What went wrong on the way to a file, as one line, and whether it may pass when it is tried again.

The libraries behind fsspec raise errors of their own, and wrap one into another. What they have in common is looked for
along the chain of causes, by the status that the server answered or by the kind of error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from layerexplain.errors import LayerExplainError, SourceError, first_line, why_unread
from layerexplain.records import NamedTuple

_STATUSES = {
    401: "needs credentials (401 Unauthorized); fsspec takes them from the environment (docs/formats.md)",
    403: "may not be read (403 Forbidden); are the credentials in the environment those for this file?",
    404: "no such file (404 Not Found)",
    407: "needs credentials for the proxy (407)",
    410: "the file was removed (410 Gone)",
    412: "changed while it was read; read it again",
    429: "too many requests (429 Too Many Requests); try again later",
}
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be another in a moment."""

_BROKEN = "the connection broke off before all was sent"

_LASTING = {
    "needs credentials, and the environment has none; FSSPEC_S3_ANON=true reads public buckets": (
        {"NoCredentialsError", "PartialCredentialsError", "LocalTokenNotFoundError"}
    ),
    "its TLS certificate cannot be trusted ({tls})": {"ClientSSLError", "ClientConnectorCertificateError", "SSLError"},
    "the host {host} is not known (DNS)": {"ClientConnectorDNSError", "gaierror", "NameResolutionError"},
    "the server redirects in a circle": {"TooManyRedirects"},
    "is not a URL that can be opened": {"InvalidURL"},
}
"""What errors of the libraries say, by their names, or those of what they are kinds of."""

_MAY_PASS = {
    "the server did not answer within {timeout:g} s; wait longer with --timeout SECONDS": (
        {"TimeoutError", "FSTimeoutError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectTimeout", "ReadTimeout"}
    ),
    "the host does not answer ({refusal})": (
        {"ClientConnectorError", "EndpointConnectionError", "ConnectionRefusedError", "ConnectError"}
    ),
    _BROKEN: (
        {"ClientPayloadError", "ServerDisconnectedError", "IncompleteRead", "IncompleteReadError", "ClientOSError"}
        | {"ResponseStreamingError", "ConnectionClosedError"}
    ),
}
"""The same of what may be otherwise when it is tried again."""


class NoRanges(SourceError):
    """The server sends the whole file where a range was asked for."""


class Fault(NamedTuple):
    """What to say, whether trying again may help, and after how many seconds the server would like that (None: it does
    not say)."""

    error: LayerExplainError
    passes: bool = False
    after: float | None = None


def fault_of(error: BaseException, timeout: float) -> Fault:
    """Return the fault behind an error that fsspec, or a library behind it, raised."""
    chain = list(_chain(error))
    own = next((cause for cause in chain if isinstance(cause, LayerExplainError)), None)
    if own is not None:
        return Fault(own)
    kinds = set().union(*map(_kinds, chain))
    if "BadHttpMessage" in kinds and "ClientPayloadError" not in kinds:
        return Fault(SourceError("the server's answer is not HTTP"))
    faults = (of(cause, timeout) for of in (_of_status, _of_kind) for cause in chain)
    return next(filter(None, faults), Fault(SourceError(why_unread(error))))


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        seen.append(at)
        yield at
        at = at.__cause__ or at.__context__


def _of_status(error: BaseException, _timeout: float) -> Fault | None:
    """Return what the status says that the server answered."""
    answer: Any = getattr(error, "response", None)
    if isinstance(answer, dict):  # botocore
        meta = answer.get("ResponseMetadata", {})
        stated = [(meta.get("HTTPStatusCode"), meta.get("HTTPHeaders"))]
    else:
        # gcsfs calls it a code; in other errors that is something else.
        own = "code" if type(error).__name__ == "HttpError" else "status"
        owners = ((error, own), (answer, "status_code"), (answer, "status"))
        stated = [(getattr(owner, name, None), getattr(owner, "headers", None)) for owner, name in owners]
    status, headers = next((pair for pair in stated if re.fullmatch(r"[45]\d\d", f"{pair[0]}")), (None, None))
    if status is None:
        return None
    after = re.fullmatch(r"\d{1,6}", str((headers or {}).get("Retry-After", "")).strip())
    status = int(status)
    named = f"{status} {HTTPStatus(status).phrase}" if status in [*HTTPStatus] else str(status)
    otherwise = f"the server {'fails' if status >= 500 else 'refuses'} ({named})"
    passes = status in _PASSING
    return Fault(SourceError(_STATUSES.get(status, otherwise)), passes, float(after[0]) if after else None)


def _of_kind(error: BaseException, timeout: float) -> Fault | None:
    names = _kinds(error)
    for words, known in {**_LASTING, **_MAY_PASS}.items():
        if not names.isdisjoint(known):
            host = getattr(error, "host", None) or "that it names"
            text = words.format(tls=_tls(error), host=host, timeout=timeout, refusal=_refusal(error))
            return Fault(SourceError(text), words in _MAY_PASS)
    if isinstance(error, ConnectionError):
        return Fault(SourceError(_BROKEN), True)
    is_cause = isinstance(error, PermissionError) or (isinstance(error, FileNotFoundError) and not error.__cause__)
    return Fault(SourceError(why_unread(error))) if is_cause else None


def _tls(error: BaseException) -> str:
    """Return the reason within `[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate
    (…)`."""
    text = first_line(error, 300)
    match = re.search(r"\] ([^(\[]+)", text)
    return match[1].strip(" :.") if match is not None else text


def _refusal(error: BaseException) -> str:
    for cause in _chain(error):
        words = getattr(getattr(cause, "os_error", cause), "strerror", None)
        if isinstance(words, str) and words:
            return re.sub(r"Connect call failed .*", "connection refused", words).lower()
    return "no connection"
