"""Errors of a manager: what is wrong, and whether another manager may answer."""

from __future__ import annotations

import docker.errors

from swarmctl.reading.texts import reason
from swarmctl.swarm.ssh import Endpoint, ManagerError, NotNowError

_COMPLAINTS = (
    (
        "permission denied",
        "the user {user!r} may not use the Docker Engine",
        "add the user to the group docker: sudo usermod -aG docker {user}",
    ),
    (
        "cannot connect to the docker daemon",
        "the Docker Engine is not running",
        "on the node: sudo systemctl start docker; why it ended: sudo journalctl -u docker",
    ),
    (
        "not found",
        "there is no Docker CLI on the node",
        "playbooks/site.yml installs it (role docker_engine)",
    ),
)

# SwarmKit's words for "not now": there is no leader, or the manager is no longer the leader
# (manager/state/raft/raft.go: ErrStopped, ErrLostLeadership, ErrNoClusterLeader, ErrNoRaftMember;
# and gRPC's own, from a follower that cannot reach the leader).
# "raft:" alone is not enough: "raft: raft message is too large" is the request's own fault.
_NOT_NOW = (
    "not have a leader",
    "no elected cluster leader",
    "lost leader status",
    "lost leadership",
    "node is stopped",
    "not yet part of a raft cluster",
    "code = Unavailable",
    "code = DeadlineExceeded",
    "code = Canceled",
    "context deadline exceeded",
    "context canceled",
)


def not_now(words: str) -> bool:
    """Whether a message of the Engine means that the managers have no leader at the moment.

    Another manager, or the same one later, may answer the same request; whether it was carried
    out is not known.
    """
    return any(sign in words for sign in _NOT_NOW)


def is_managers_fault(fault: docker.errors.APIError) -> bool:
    """Whether another manager, or the same one later, might answer the same request.

    Without a leader, requests end as 503, or as 500 with words for "not now".
    """
    status = fault.response.status_code if fault.response is not None else 0
    return status == 503 or (status >= 500 and not_now(str(fault.explanation)))


def not_ready(endpoint: Endpoint, explanation: str) -> ManagerError:
    """The error for a manager that refuses because of its own state."""
    if "swarm manager" in explanation:
        return ManagerError(
            f"{endpoint}: it is not a manager of a Swarm",
            "name a manager, or create the Swarm: ansible-playbook playbooks/swarm.yml",
        )
    if "needs to be unlocked" in explanation:
        return ManagerError(
            f"{endpoint}: the manager has restarted and is locked",
            "unlock it: swarmctl node unlock --all",
        )
    if any(word in explanation for word in ("leader", "quorum", "raft")):
        return NotNowError(
            f"{endpoint}: the managers have no leader",
            "more than half of the managers must be up; an election takes some seconds",
        )
    return ManagerError(f"{endpoint}: {explanation.strip()}")


def broken(endpoint: Endpoint, complaint: str, fault: Exception) -> ManagerError:
    """The error for a connection that broke.

    Args:
        endpoint: the manager.
        complaint: what the remote command wrote to standard error, if anything.
        fault: what was raised here.
    """
    for sign, message, hint in _COMPLAINTS:
        if sign in complaint.lower():
            user = endpoint.user
            return ManagerError(f"{endpoint}: {message.format(user=user)}", hint.format(user=user))
    cause = complaint.splitlines()[-1] if complaint else innermost(fault)
    return ManagerError(f"{endpoint}: the connection broke: {cause}")


def innermost(fault: BaseException) -> str:
    """The message of the exception that caused all others."""
    while fault.__cause__ or fault.__context__:
        fault = fault.__cause__ or fault.__context__ or fault
    return reason(fault)
