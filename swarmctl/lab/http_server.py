"""The HTTP server under all that the lab's process serves."""

from __future__ import annotations

import socket
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    timeout = 30  # seconds that a connection may be silent: each has a thread

    def log_request(self, *_: Any) -> None:
        """Log nothing: thousands of polls would hide everything else."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Log an error that is none of an idle connection, or of an Engine that tries TLS first."""
        text = format % args
        if "TimeoutError" not in text and not text.startswith("code 400, message Bad "):
            super().log_error(format, *args)


def http_server(address: str, port: int, app: Any) -> BaseWSGIServer:
    """A server bound to an address, a thread for each connection; nothing is answered yet.

    Raises:
        OSError: the address cannot be bound. (werkzeug itself would end the process.)
    """
    with socket.create_server((address, port), backlog=128) as bound:
        return make_server(
            address, port, app, threaded=True, request_handler=_Quiet, fd=bound.fileno()
        )
