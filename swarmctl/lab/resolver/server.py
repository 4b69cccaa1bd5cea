"""The resolver's sockets: UDP and TCP on one port."""

from __future__ import annotations

import contextlib
import random
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode

from swarmctl.lab.resolver.answers import VpcNames, answer, elsewhere
from swarmctl.lab.resolver.upstream import Upstream

PLAIN_UDP = 512  # bytes that every client can receive (RFC 1035)
LARGEST_UDP = 4096  # as Amazon's resolver offers
_LARGEST_TCP = 65535
_HEADER = 12
_IDLE = 10  # seconds
_WORKERS = 16


class ResolverServer:
    """Answers the clients of one VPC on an address of this computer."""

    def __init__(
        self,
        address: str,
        names: Callable[[], VpcNames],
        admits: Callable[[str], bool],
        upstream: Upstream | None = None,
    ) -> None:
        """Bind both sockets and start to answer, in threads.

        Args:
            address: where to listen; the port is any free one.
            names: what the VPC's resolver knows now.
            admits: whether a client's address is answered.
            upstream: is asked about all other names.
        """
        self._names = names
        self._upstream = upstream or Upstream()
        self._dice = random.Random()  # noqa: S311 - load is spread, nothing is kept secret
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="resolver")
        self.admits = admits
        self._udp, self._tcp = _bound(address)
        self.port: int = self._udp.server_address[1]
        for server in (self._udp, self._tcp):
            server.resolver = self
            threading.Thread(target=server.serve_forever, daemon=True, name="resolver").start()

    def close(self) -> None:
        """Stop answering."""
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
        self._pool.shutdown(wait=False)

    def reply(self, packet: bytes, send: Callable[[bytes], object], *, udp: bool) -> None:
        """Send the answer to a packet, if it deserves one."""
        if len(packet) < _HEADER or packet[2] & 0x80:  # an answer: replying could go on for ever
            return
        try:
            query = dns.message.from_wire(packet)
        except dns.exception.DNSException:
            send(_malformed(packet))
            return
        size = _LARGEST_TCP
        if udp:
            offered = query.payload if query.edns >= 0 else PLAIN_UDP
            size = min(max(offered, PLAIN_UDP), LARGEST_UDP)
        alias = None
        try:
            names = self._names()
            found = answer(names, query, self._dice)
            alias = elsewhere(names, found)
        # A record in the API is no record, or the VPC is gone.
        except (dns.exception.DNSException, ValueError, LookupError):
            found = dns.message.make_response(query, recursion_available=True)
            found.set_rcode(dns.rcode.SERVFAIL)
        if found is not None and alias is None:
            send(_wire(found, size))
        elif udp:
            self._pool.submit(lambda: send(_wire(self._asked(query, found, alias), size)))
        else:
            send(_wire(self._asked(query, found, alias), size))

    def _asked(
        self,
        query: dns.message.Message,
        found: dns.message.Message | None,
        alias: dns.name.Name | None,
    ) -> dns.message.Message:
        """The answer with what this computer's resolver knows."""
        if found is None or alias is None:
            return self._upstream.ask(query)
        rest = self._upstream.ask(dns.message.make_query(alias, query.question[0].rdtype))
        found.answer += rest.answer
        found.authority += rest.authority
        found.set_rcode(rest.rcode())
        return found


def _wire(message: dns.message.Message, size: int) -> bytes:
    """The bytes of an answer; one that is too long is cut, and says so (TC)."""
    try:
        return message.to_wire(max_size=size)
    except dns.exception.TooBig:
        message.answer, message.authority, message.additional = [], [], []
        message.flags |= dns.flags.TC
        return message.to_wire(max_size=size)


def _malformed(packet: bytes) -> bytes:
    """FORMERR under the query's id and opcode."""
    flags = dns.flags.QR | (packet[2] & 0x78) << 8 | dns.rcode.FORMERR
    return packet[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)


class _Udp(socketserver.UDPServer):
    max_packet_size = _LARGEST_TCP
    resolver: ResolverServer


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    resolver: ResolverServer


class _Datagram(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        packet, sock = self.request
        client, resolver = self.client_address, self.server.resolver
        if resolver.admits(client[0]):
            resolver.reply(packet, lambda data: sock.sendto(data, client), udp=True)


class _Connection(socketserver.BaseRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        if not self.server.resolver.admits(self.client_address[0]):
            return
        self.request.settimeout(_IDLE)
        with contextlib.suppress(OSError):  # the client is silent or gone: nobody to answer
            while head := _exactly(self.request, 2):
                packet = _exactly(self.request, struct.unpack("!H", head)[0])
                self.server.resolver.reply(packet, self._send, udp=False)

    def _send(self, data: bytes) -> None:
        self.request.sendall(struct.pack("!H", len(data)) + data)


def _bound(address: str) -> tuple[_Udp, _Tcp]:
    """A UDP and a TCP socket on the same port."""
    for _ in range(20):
        udp = _Udp((address, 0), _Datagram)
        try:
            return udp, _Tcp((address, udp.server_address[1]), _Connection)
        except OSError:  # the port is taken for TCP
            udp.server_close()
    raise OSError(f"no port of {address} is free for both UDP and TCP")


def _exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes; ``b""`` if the client has closed the connection."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data
