"""How fsspec's client for HTTP is made, so that no server leads elsewhere or sends more than was asked for.

aiohttp does the work. Here it learns what it is to refuse: redirects to another scheme, or from a public to a private
address; answers that are not the range that was asked for; compressed ones; endless ones.
"""

from __future__ import annotations

import contextvars
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import aiohttp
from yarl import URL

from layerexplain.errors import SourceError, without_passwords
from layerexplain.sources.faults import NoRanges
from layerexplain.sources.names import Reach

MAX_PAGE_BYTES = 16 * 1024 * 1024
"""A page that lists a directory, in bytes."""

_SLOWEST = 20
"""How many times the time that a server may be silent one request may take."""

_from_public = contextvars.ContextVar("_from_public", default=False)
"""Whether the request that is made follows a redirect of a public address."""


@lru_cache(maxsize=16)
def client_maker(reach: Reach) -> Callable[..., Awaitable[Any]]:
    """Return what makes a client, as `get_client` of fsspec's HTTPFileSystem. One for each way to reach, since fsspec
    keeps a file system by its arguments."""

    async def get_client(**given: Any) -> Any:
        # A server that sends a byte now and then is not waited for without an end.
        total = _SLOWEST * reach.timeout
        resolver = _Resolver()
        settings = {
            "timeout": aiohttp.ClientTimeout(total=total, connect=reach.timeout, sock_read=reach.timeout),
            "headers": {"Accept-Encoding": "identity", **given.pop("headers", {})},
            "connector": aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False),
            "response_class": _Bounded,
            "middlewares": (_guard,),
            "trace_configs": [_redirects(resolver)],
        }
        return aiohttp.ClientSession(**{**settings, **given})

    return get_client


# Addresses ----------------------------------------------------------------------------------------------------------


def is_private(address: str) -> bool:
    """Return whether an address belongs to a machine or a network of its own, and not to the Internet."""
    result = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(result, "ipv4_mapped", None) or result
    return not inner.is_global


class _Resolver(aiohttp.ThreadedResolver):  # type: ignore[misc]
    """Remembers which hosts are private, and refuses those that a public one leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.private: dict[str, bool] = {}

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
        result = await super().resolve(host, port, family)
        self.private[host] = any(is_private(item["host"]) for item in result)
        if self.private[host] and _from_public.get():
            raise _to_private(host)
        return result

    def is_private(self, host: str) -> bool:
        """Return whether a host, a name that was looked up or an address, is private."""
        try:
            return is_private(host.strip("[]"))
        except ValueError:
            return self.private.get(host, False)


def _to_private(host: str | None) -> SourceError:
    return SourceError(
        f"is redirected from a public address to the private one of {host}; give that URL itself if you trust it"
    )


def _redirects(resolver: _Resolver) -> Any:
    """Return what looks at each redirect before it is followed."""

    async def start(_session: Any, _context: Any, _params: Any) -> None:
        _from_public.set(False)

    async def redirect(_session: Any, _context: Any, params: Any) -> None:
        place = params.response.headers.get("Location") or params.response.headers.get("URI") or ""
        here = params.response.url
        there = here.join(URL(place))
        if there.scheme != here.scheme:
            meant = without_passwords(str(there))[:200]
            raise SourceError(
                f"is redirected from {here.scheme} to {there.scheme}; give {meant} itself if you trust it"
            )
        # Once it came from a public address, it stays so.
        _from_public.set(_from_public.get() or not resolver.is_private(here.host or ""))
        if _from_public.get() and resolver.is_private(there.host or ""):
            raise _to_private(there.host)

    config = aiohttp.TraceConfig()
    config.on_request_start.append(start)
    config.on_request_redirect.append(redirect)
    return config


# Answers ------------------------------------------------------------------------------------------------------------


async def _guard(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
    """Refuse an answer that does not fit, before its body is read."""
    answer = await handler(request)
    try:
        _must_fit(request.headers, answer)
    except SourceError:
        answer.close()
        raise
    return answer


def _must_fit(asked: Any, answer: Any) -> None:
    if answer.status not in (200, 206):
        return
    coding = answer.headers.get("Content-Encoding", "identity")
    if coding not in ("identity", ""):
        raise SourceError(f"the server sends it compressed ({coding[:20]}), although uncompressed bytes were requested")
    mark = asked.get("If-Match")
    if mark is not None and answer.headers.get("ETag", mark) != mark:
        raise SourceError("changed while it was read; read it again")
    start, end = _range(asked) or (0, None)
    if end is None:
        return
    if answer.status == 200:
        if start == 0 and answer.content_length == end:
            return
        raise NoRanges("the server sends no ranges")
    content_range = re.match(r"bytes (\d+)-(\d+)/(\d+|\*)$", answer.headers.get("Content-Range", ""))
    if content_range is None or int(content_range[1]) != start or int(content_range[2]) + 1 > end:
        said = answer.headers.get("Content-Range", "nothing")[:60]
        raise SourceError(f"the server sent another range than was requested: {said} instead of {start}-{end - 1}")


def _range(headers: Any) -> tuple[int, int] | None:
    """Return the range that a request asks for, its end not included."""
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("Range", ""))
    return (int(match[1]), int(match[2]) + 1) if match is not None else None


class _Bounded(aiohttp.ClientResponse):  # type: ignore[misc]
    """An answer that reads no more than was asked for, whatever the server says or leaves unsaid of its length."""

    _body: bytes | None = None

    async def read(self) -> bytes:
        if self._body is None:
            wanted = _range(self.request_info.headers)
            most = wanted[1] - wanted[0] if wanted is not None else MAX_PAGE_BYTES
            body = bytearray()
            async for piece in self.content.iter_chunked(64 * 1024):
                body += piece
                if len(body) > most:
                    self.close()
                    raise SourceError(f"the server sends more than {most:,} bytes")
            self._body = bytes(body)
        return self._body
