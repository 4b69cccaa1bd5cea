"""Wrong passwords: they are answered late, and the right one is not."""

from __future__ import annotations

import asyncio
import base64

from starlette.responses import Response
from starlette.types import Message

from swarmctl.web.guard import Guard


async def status(app: Guard, password: str) -> int:
    """The status that a request with this password gets."""
    given = base64.b64encode(f"swarm:{password}".encode())
    headers = [(b"host", b"page"), (b"authorization", b"Basic " + given)]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    found: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    await app(scope, receive, send)
    return found[0]


def test_guesses_are_slow_and_few_at_once_and_nobody_is_locked_out() -> None:
    """Broken: a dictionary is tried in minutes, or a guesser keeps the owner out."""
    order: list[tuple[str, int]] = []

    async def attack() -> None:
        app = Guard(Response("page"), password="open sesame", loopback=False)

        async def ask(who: str, password: str) -> None:
            order.append((who, await status(app, password)))

        guesses = (ask("guesser", f"guess {number}") for number in range(12))
        await asyncio.gather(*guesses, ask("owner", "open sesame"))
        await ask("guesser", "a thirteenth")

    asyncio.run(attack())
    at_once = [("guesser", 429)] * 2 + [("owner", 200)]
    assert order == at_once + [("guesser", 401)] * 11
