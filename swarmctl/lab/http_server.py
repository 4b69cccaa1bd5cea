"""The HTTP server under all that the lab's process serves."""

from __future__ import annotations

from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        """Log nothing: thousands of polls would hide everything else."""


def http_server(address: str, port: int, app: Any) -> BaseWSGIServer:
    """A server bound to an address, a thread for each connection; nothing is answered yet."""
    return make_server(address, port, app, threaded=True, request_handler=_Quiet)
