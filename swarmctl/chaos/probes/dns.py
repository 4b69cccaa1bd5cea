"""A probe that resolves a name."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from swarmctl.chaos.probes.probe import ProbeAnswer, ProbeFailedError, one_line, timed_out


@dataclass(frozen=True, slots=True)
class Dns:
    """A DNS query.

    Args:
        name: the domain name.
        server: address of the name server; ``""`` for the system's.
        port: of the name server.
        kind: type of the record.
        answer: one that must be among the answers; ``""`` for any.
    """

    name: str
    server: str = ""
    port: int = 53
    kind: str = "A"
    answer: str = ""

    @property
    def address(self) -> str:
        """See :class:`Probe`."""
        return f"dns://{self.server or 'system'}/{self.name} {self.kind}"

    def run(self, timeout_s: float, stop: Event) -> ProbeAnswer:
        """See :class:`Probe`."""
        del stop
        import dns.exception
        import dns.resolver

        try:
            resolver = dns.resolver.Resolver(configure=not self.server)
            if self.server:
                resolver.nameservers, resolver.port = [self.server], self.port
            found = resolver.resolve(self.name, self.kind, lifetime=timeout_s, search=False)
        except dns.resolver.NXDOMAIN as error:
            raise ProbeFailedError("no such name") from error
        except dns.resolver.NoAnswer as error:
            raise ProbeFailedError(f"no {self.kind} record") from error
        except dns.exception.Timeout as error:
            raise ProbeFailedError(timed_out(timeout_s)) from error
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise ProbeFailedError(str(error)) from error
        answers = sorted(record.to_text() for record in found)
        if self.answer and self.answer not in answers:
            raise ProbeFailedError(f"other answers: {', '.join(answers)}")
        return ProbeAnswer(one_line(", ".join(answers)))
