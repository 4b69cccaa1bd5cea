"""A load balancer as a configuration of HAProxy. Pure.

It behaves as an application load balancer where a client or a target can see it:

- a request is sent to one target, once: no retry, no second target;
- 502 when a target refuses or closes the connection, 503 without a target, 504 after a time-out;
- connections to targets are not kept, so none that a target has closed can be used again.

The servers are not in it: the agent adds them, as their health allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarmctl.lab.balancer.haproxy import FOLDER, SERVERS
from swarmctl.lab.balancer.model import Listener, LoadBalancer, TargetGroup
from swarmctl.lab.balancer.rules import rule_lines

CONNECT_S = 10  # fixed on AWS
_ALGORITHMS = {"least_outstanding_requests": "leastconn", "weighted_random": "random"}

_HEAD = """\
global
  stats socket {folder}/admin.sock mode 600 level admin
  hard-stop-after 1h
  default-path config

defaults
  mode http
  retries 0
  option http-server-close
  option idle-close-on-response
  timeout connect {connect}s
  timeout client {idle}s
  timeout server {idle}s
  timeout tunnel {idle}s
  timeout http-request {idle}s
  timeout http-keep-alive {idle}s
  errorfile 400 errors/400.http
  errorfile 408 errors/408.http
  errorfile 502 errors/502.http
  errorfile 503 errors/502.http
  errorfile 504 errors/504.http
"""

_ERRORS = {
    400: "Bad Request",
    408: "Request Time-out",
    502: "Bad Gateway",
    504: "Gateway Time-out",
}


def config(balancer: LoadBalancer, operator: str, gateway: str) -> str:
    """The configuration of a load balancer's HAProxy.

    Args:
        balancer: the load balancer.
        operator: the operator's address for conditions on the source.
        gateway: the address that the operator's connections come from.
    """
    sections = [
        _HEAD.format(folder=FOLDER, idle=balancer.idle_s, connect=CONNECT_S),
        *(_section(_frontend(li, operator, gateway)) for li in balancer.listeners),
        *(_section(_backend(group)) for group in balancer.target_groups),
    ]
    return "\n".join(sections)


def files(balancer: LoadBalancer) -> dict[str, str]:
    """What the configuration refers to, by path: certificates, and the pages of errors."""
    return {f"errors/{code}.http": error_page(code, reason) for code, reason in _ERRORS.items()} | {
        f"certificates/{listener.port}-{number}.pem": pem
        for listener in balancer.listeners
        for number, pem in enumerate(listener.certificates)
    }


def error_page(code: int, reason: str) -> str:
    """An error as a load balancer on AWS answers it, with its headers."""
    body = _page(code, reason)
    return (
        f"HTTP/1.1 {code} {reason}\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def _page(code: int, reason: str) -> str:
    title = f"{code} {reason}"
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"


def _section(lines: Iterable[str]) -> str:
    head, *rest = lines
    return "\n".join([head, *(f"  {line}" for line in rest), ""])


def _frontend(listener: Listener, operator: str, gateway: str) -> Iterator[str]:
    yield f"frontend port-{listener.port}"
    crt = "".join(
        f" crt certificates/{listener.port}-{number}.pem"
        for number, _ in enumerate(listener.certificates)
    )
    yield f"bind :{listener.port}" + (f" ssl alpn h2,http/1.1{crt}" if crt else "")
    yield "option forwardfor"
    yield f"http-request set-header X-Forwarded-Proto {'https' if crt else 'http'}"
    yield f"http-request set-header X-Forwarded-Port {listener.port}"
    yield "http-request set-var(txn.began) date(0,ms)"
    # A target that does not take the connection in time: 504; one that refuses it: 502.
    waited = f"{{ date(0,ms),sub(txn.began) ge {CONNECT_S * 1000} }}"
    yield (
        "http-after-response set-status 504 if { status 502 } "
        f"{{ bc.timer.connect lt 0 }} {waited}"
    )
    yield from rule_lines(listener, operator, gateway)


def _backend(group: TargetGroup) -> Iterator[str]:
    yield f"backend {group.key}"
    yield f"balance {_ALGORITHMS.get(group.algorithm, 'roundrobin')}"
    page = _page(503, "Service Temporarily Unavailable").replace(" ", "\\ ")
    yield (
        f"http-request return status 503 content-type text/html string {page} if {{ nbsrv eq 0 }}"
    )
    if group.sticky_s:
        yield f"cookie AWSALB insert dynamic maxidle {group.sticky_s}s"
        yield f"dynamic-cookie-key {group.key}"
    yield f"{SERVERS} {group.key}"
