"""An error of the lab's own, in the words and the form of the service that was called."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape


class ApiError(Exception):
    """A request that is not passed on."""

    def __init__(self, code: str, message: str, status: int = HTTPStatus.FORBIDDEN) -> None:
        """``code`` is AWS's, for example ``AccessDenied``; ``status`` is HTTP's."""
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = HTTPStatus(status)


def answer(start_response: Any, error: ApiError, service: str, *, as_json: bool) -> Iterable[bytes]:
    """The HTTP answer to a refused request (WSGI).

    Args:
        start_response: WSGI's.
        error: what to say.
        service: as it was signed for; EC2 has a form of its own.
        as_json: the request was one of a service that speaks JSON.
    """
    if as_json:
        kind = "application/x-amz-json-1.1"
        body = json.dumps({"__type": error.code, "message": error.message})
    else:
        kind = "text/xml"
        what = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        body = '<?xml version="1.0" encoding="UTF-8"?>' + (
            f"<ErrorResponse><Error><Type>Sender</Type>{what}</Error>"
            "<RequestId>lab</RequestId></ErrorResponse>"
            if service not in ("", "ec2")
            else f"<Response><Errors><Error>{what}</Error></Errors>"
            "<RequestID>lab</RequestID></Response>"
        )
    content = body.encode()
    start_response(
        f"{error.status.value} {error.status.phrase}",
        [
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("x-amzn-errortype", error.code),
        ],
    )
    return [content]
