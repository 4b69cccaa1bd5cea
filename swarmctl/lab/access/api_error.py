"""An error of the lab's own, in the words and the form of the service that was called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from http.client import responses
from typing import Any
from xml.sax.saxutils import escape


class ApiError(Exception):
    """A request that is not passed on."""

    def __init__(self, code: str, message: str, status: int = HTTPStatus.FORBIDDEN) -> None:
        """``code`` is AWS's, for example ``AccessDenied``; ``status`` is HTTP's."""
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


def answer(start_response: Any, error: ApiError, service: str, *, as_json: bool) -> Iterable[bytes]:
    """The HTTP answer to a refused request (WSGI).

    Args:
        start_response: WSGI's.
        error: what to say.
        service: as it was signed for; EC2 has a form of its own.
        as_json: the request was one of a service that speaks JSON.
    """
    if as_json:
        text = {"__type": error.code, "message": error.message}
        return json_answer(start_response, text, error)
    what = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
    if service in ("", "ec2"):
        form = (
            f"<Response><Errors><Error>{what}</Error></Errors><RequestID>lab</RequestID></Response>"
        )
    else:
        kind = "Sender" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
        form = (
            f"<ErrorResponse><Error><Type>{kind}</Type>{what}</Error>"
            "<RequestId>lab</RequestId></ErrorResponse>"
        )
    body = f'<?xml version="1.0" encoding="UTF-8"?>{form}'
    return _send(start_response, "text/xml", body, error)


def json_answer(
    start_response: Any, data: Mapping[str, Any], error: ApiError | None = None
) -> Iterable[bytes]:
    """An answer in JSON (WSGI)."""
    return _send(start_response, "application/x-amz-json-1.1", json.dumps(data), error)


def _send(start_response: Any, kind: str, body: str, error: ApiError | None) -> Iterable[bytes]:
    status, content = int(error.status if error else HTTPStatus.OK), body.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(content)))]
    if error:
        headers.append(("x-amzn-errortype", error.code))
    start_response(status_line(status), headers)
    return [content]


def status_line(status: int) -> str:
    """Number and phrase; a status that the operator has chosen may have none."""
    return f"{status} {responses.get(status, 'Error')}"
