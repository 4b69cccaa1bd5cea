"""The DNS server: UDP and TCP on one port, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode

from swarmctl.discovery.consul import dns_answers
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.loop import LoopThread

PLAIN_UDP = 512  # what every client can receive (RFC 1035)
LARGEST_UDP = 8192
_LARGEST_TCP = 65535
_HEADER = 12
_IDLE_S = 10.0
_CONNECTIONS = 256


class DnsListener:
    """Answers from the newest edition.

    Args:
        sockets: a bound UDP and a bound, listening TCP socket.
        identity: the domain and the datacentre.
    """

    name = "dns"
    refresh_s: float | None = None

    def __init__(self, sockets: tuple[socket.socket, socket.socket], identity: Identity) -> None:
        self._identity = identity
        self._edition: Edition | None = None
        self.port: int = sockets[0].getsockname()[1]
        self._connections = 0
        self._loop = LoopThread("dns")
        self._loop.run(self._start(*sockets))

    def publish(self, edition: Edition) -> None:
        """See :class:`swarmctl.discovery.listeners.listener.Listener`."""
        self._edition = edition

    def close(self) -> None:
        """Stop answering."""
        self._loop.close()

    def reply(self, packet: bytes, *, udp: bool) -> bytes | None:
        """The answer to a packet; ``None`` if it deserves none."""
        if len(packet) < _HEADER or packet[2] & 0x80:  # an answer: replying could go on for ever
            return None
        try:
            query = dns.message.from_wire(packet)
        except dns.exception.DNSException:
            return _malformed(packet)
        size = _LARGEST_TCP
        if udp:
            offered = query.payload if query.edns >= 0 else PLAIN_UDP
            size = min(max(offered, PLAIN_UDP), LARGEST_UDP)
        return dns_answers.wire(dns_answers.answer(self._edition, query, self._identity), size)

    async def _start(self, udp: socket.socket, tcp: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
        await asyncio.start_server(self._serve, sock=tcp)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the queries of a connection until it has been idle for a while."""
        self._connections += 1
        try:
            while self._connections <= _CONNECTIONS:
                async with asyncio.timeout(_IDLE_S):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    reply = self.reply(await reader.readexactly(length), udp=False)
                    if reply is None:
                        return
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._connections -= 1
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, listener: DnsListener) -> None:
        self._listener = listener
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        reply = self._listener.reply(data, udp=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def _malformed(packet: bytes) -> bytes:
    """FORMERR under the query's id and opcode."""
    flags = dns.flags.QR | (packet[2] & 0x78) << 8 | dns.rcode.FORMERR
    return packet[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)
