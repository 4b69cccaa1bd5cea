"""The stack ``web``: a page that can only read, and a proxy that lets it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from swarmctl.stack.render.source import render_stack

STACK = Path(__file__).parents[3] / "stacks" / "web"


def services(**values: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render_stack(STACK, (), values).compose)["services"]
    return found


def test_the_page_has_no_way_to_the_engine_but_the_proxys_socket() -> None:
    """Broken: whoever takes over the page takes over the Swarm."""
    page = services()["page"]
    assert "docker.sock" not in str(page)
    (shared,) = page["volumes"]
    assert (shared["source"], shared["read_only"]) == ("engine", True)
    assert f"--host=unix://{shared['target']}/engine.sock" in page["command"]
    assert (page["read_only"], page["cap_drop"]) == (True, ["ALL"])


def test_the_password_is_a_secret_and_in_no_command_or_variable() -> None:
    page = services(password_secret="page_password")["page"]
    assert "environment" not in page
    assert "--password-file=/run/secrets/password" in page["command"]
    assert page["secrets"] == [
        {"source": "password", "target": "password", "uid": "65534", "mode": 0o400}
    ]


def test_the_proxy_passes_on_no_secret_and_listens_at_no_port() -> None:
    """Broken: the page's reader gets the join tokens, or the contents of configs."""
    proxy = services()["proxy"]
    assert "ports" not in proxy
    config = (STACK / "proxy" / "haproxy.cfg").read_text()
    assert re.findall(r"bind (.+)", config) == ["unix@/run/engine/engine.sock mode 666"]
    assert "http-request deny unless METH_GET reads" in config
    (pattern,) = re.findall(r"path_reg (.+)", config)
    for path in ("/v1.45/tasks", "/nodes", "/v1.45/events", "/_ping", "/v1.45/info"):
        assert re.match(pattern, path), path
    kept_back = (
        "/swarm", "/v1.45/swarm", "/v1.45/configs", "/v1.45/secrets", "/v1.45/services/x",
        "/containers/json", "/v1.45/nodes/../swarm", "/v1.45/swarm/unlockkey",
    )  # fmt: skip
    for path in kept_back:
        assert not re.match(pattern, path), path


def test_there_is_a_proxy_wherever_the_page_may_run() -> None:
    found = services()
    assert found["proxy"]["deploy"]["mode"] == "global"
    for each in found.values():
        assert each["deploy"]["placement"]["constraints"] == ["node.role == manager"]
