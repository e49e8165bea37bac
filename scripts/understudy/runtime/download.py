"""One file from one address, over connections that stall and break. Proxies are those of the environment.

What came is kept in a partial file, and asked for no second time where the server can go on from there. Nothing here
says whether the bytes are the right ones: that is for the caller, by their hash.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from understudy.errors import ModelError

BLOCK = 1 << 18
LEAST_GAIN = 1 << 16
"""Bytes that a connection must bring for the count of failures to begin anew: so the file's size bounds the tries."""
LEAST_RATE = 1024.0
"""Bytes per second; what drips slower counts as stalled."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""HTTP answers that another try may change."""
MEANING = {
    401: "the server wants a name and a password",
    403: "the server does not allow it",
    404: "the server has no such file",
    407: "the proxy wants a name and a password",
    410: "the server has the file no more",
}
BROKEN = (urllib.error.URLError, http.client.HTTPException, ssl.SSLError, ConnectionError, TimeoutError)


@dataclass(frozen=True)
class Patience:
    """How long a download tries.

    Attributes
    ----------
    stall:
        Seconds of silence after which a connection counts as broken.
    tries:
        How often in a row it may break without bringing anything worth mention.
    pause:
        Seconds before the second try; twice as many before each one after it.
    """

    stall: float = 30.0
    tries: int = 5
    pause: float = 1.0


def download(url: str, part: Path, where: str, *, known: bool, patience: Patience) -> bool:
    """Complete a partial file from an address.

    Parameters
    ----------
    part:
        The partial file; may hold the beginning from an earlier call with the same address. Beside it, under the
        suffix ``.tag``, lies what the server called the version it is of.
    where:
        Whom an error is about.
    known:
        Whether the caller can tell the right bytes. If not, what has neither length nor version is not trusted.

    Returns
    -------
    bool
        Whether the file was put together from several answers, which may have been of several versions.

    Raises
    ------
    ModelError
        The address cannot be fetched, in words. What came so far is kept.
    """
    opener = urllib.request.build_opener(_Redirects(where))
    furthest, failures = _size(part), 0
    while True:
        try:
            return _transfer(opener, url, part, where, known, patience)
        except BROKEN as error:
            final = _final(error)
            failures = 1 if _size(part) - furthest >= LEAST_GAIN else failures + 1
            furthest = max(furthest, _size(part))
            if final or failures >= patience.tries:
                said = final or f"{_said(error)} ({failures} tries)"
                raise ModelError(
                    f"{url} cannot be fetched: {said}",
                    where=where,
                    fix="see whether the address opens from this machine",
                ) from error
        time.sleep(patience.pause * 2 ** (failures - 1))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to anything else."""

    def __init__(self, where: str) -> None:
        self._where = where

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https://"):
            raise ModelError(
                f"{req.full_url} leads to {newurl}, which is not an https address",
                where=self._where,
                fix="correct its card",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _transfer(
    opener: urllib.request.OpenerDirector, url: str, part: Path, where: str, known: bool, patience: Patience
) -> bool:
    """One connection: whether it went on where the partial file ended, instead of beginning it anew."""
    tag = part.with_suffix(".tag")
    version = tag.read_text("ascii") if tag.is_file() else ""
    have = _size(part) if known or version else 0
    request = urllib.request.Request(url, headers={"User-Agent": "understudy", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if version:
            request.add_header("If-Range", version)
    try:
        answer = opener.open(request, timeout=patience.stall)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return True  # it was complete
        _truncate(part, tag)
        raise ConnectionError("the server cannot go on where the file ends here") from error
    with answer:
        now = _version(answer.headers)
        if answer.status == 206:
            begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            if not begins or int(begins[1]) != have or (version and now and now != version):
                _truncate(part, tag)
                raise ConnectionError("the server went on with something else")
        else:
            _truncate(part, tag)
            have = 0
            tag.write_text(now, "ascii")
        length = answer.headers.get("Content-Length")
        if length is None and not answer.chunked and not known:
            raise ModelError(
                f"{url} does not say how long the file is, and its sha256 is not known: it may end anywhere",
                where=where,
                fix="put its sha256 into its card",
            )
        got = _receive(answer, part, patience)
    if length is not None and got < int(length):
        raise ConnectionError(f"the connection ended after {have + got} of {have + int(length)} bytes")
    return have > 0


def _receive(answer: http.client.HTTPResponse, part: Path, patience: Patience) -> int:
    """Append what comes to the partial file; the number of bytes."""
    got = marked = 0
    mark = time.monotonic()
    with part.open("ab") as out:
        while block := answer.read1(BLOCK):
            out.write(block)
            got += len(block)
            passed = time.monotonic() - mark
            if passed > patience.stall:
                if got - marked < LEAST_RATE * passed:
                    raise TimeoutError(f"less than {LEAST_RATE:.0f} bytes per second")
                mark, marked = time.monotonic(), got
    return got


def _version(headers: http.client.HTTPMessage) -> str:
    """What `If-Range` may say: a strong entity tag, else the time of the last change, else nothing."""
    etag = headers.get("ETag", "")
    version = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    return version if version.isascii() else ""


def _final(error: BaseException) -> str:
    """Why another try is of no use, in words; empty if it may be."""
    if isinstance(error, urllib.error.HTTPError) and error.code not in PASSING:
        return f"{MEANING.get(error.code, f'the server answers {error.reason}')} ({error.code})"
    reason = getattr(error, "reason", None)
    if isinstance(
        reason, socket.gaierror
    ):  # on a machine without a network every file would wait for nothing
        return f"nobody here knows where that is ({reason.strerror})"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({reason.verify_message}); "
            "behind a proxy that opens TLS, let SSL_CERT_FILE name its certificate"
        )
    return ""


def _said(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return f"the connection stalled ({reason})"
    return str(reason) or type(reason).__name__


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _truncate(part: Path, tag: Path) -> None:
    part.open("wb").close()
    tag.unlink(missing_ok=True)
