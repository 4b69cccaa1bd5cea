"""Deploy a stack: plan, apply, wait with a deadline; if that fails, roll back and check the result.

    lock → read → plan → apply → wait until the new version runs → remove old services
                           └── failed ──► evidence → roll back → check that the old version serves

Every step has its own deadline, so a deploy always ends.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from swarmctl.cluster import Target, named
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.images.home import Home, find_home
from swarmctl.images.names import registry_names
from swarmctl.network.access import AccessTo, no_rules
from swarmctl.network.nodes import ClusterNodes
from swarmctl.prefetch.before_deploy import prefetch_before
from swarmctl.stack.deploy import converge, desired, images
from swarmctl.stack.deploy.apply import apply, create, ingress_ports, remove_services
from swarmctl.stack.deploy.current import CurrentStack, read_current
from swarmctl.stack.deploy.failure import (
    DeployFailure,
    SnapshotKeeper,
    StackBefore,
    roll_back_failed,
)
from swarmctl.stack.deploy.interrupts import Interrupts
from swarmctl.stack.deploy.plan import CHECK, CREATE, REMOVE, UPDATE, DeployPlan, plan_changes
from swarmctl.stack.deploy.proof import Health, answering, wait_for_answers
from swarmctl.stack.deploy.specs import normal
from swarmctl.stack.render.source import StackChoice, StackSource
from swarmctl.stack.render.spare_managers import spare_managers
from swarmctl.stack.settings import settle
from swarmctl.swarm import lock
from swarmctl.swarm.connect import Failover
from swarmctl.swarm.engine import Engine, SwarmEngine
from swarmctl.swarm.manager_errors import not_now
from swarmctl.swarm.patience import Patient, again
from swarmctl.swarm.ssh import Endpoint, NotNowError

# Seconds. The old version has run before, so its return takes no longer than this, unless the user
# allows more for a deploy.
ROLLBACK_TIMEOUT = 120.0
REMOVAL_TIMEOUT = 60.0
# For the first answer of the published ports, after the tasks have passed their health checks.
PROOF_TIMEOUT = 15.0
# At most for reading, resolving images, applying and gathering evidence together.
_OVERHEAD = 240.0


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """How to deploy.

    Attributes:
        wait: seconds within which the new version must run.
        settle: seconds it must keep running.
        rollback: whether a failed deploy is rolled back.
        prune: whether services that are no longer in the file are removed.
        resolve: when the registry is asked for digests: ``always``, ``changed`` or ``never``.
        recorded: whether the settings of the last deploy are used below the given ones.
        registry_auth: whether this machine's Docker credentials are sent along for every registry;
            those of ``registry`` and of ECR always are.
        registry: where the stack's own images are: ``ecr``, or a registry's name; ``""`` if none.
        make_secrets: secrets that get a random value if they do not exist.
        prefetch: whether images are pulled on all nodes beforehand; ``None``: if it is quick.
    """

    wait: float = 120.0
    settle: float = converge.SETTLE
    rollback: bool = True
    prune: bool = True
    resolve: str = images.CHANGED
    recorded: bool = True
    registry_auth: bool = False
    registry: str = ""
    make_secrets: Sequence[str] = ()
    prefetch: bool | None = None

    @property
    def rollback_timeout(self) -> float:
        """Seconds for a rollback."""
        return max(ROLLBACK_TIMEOUT, self.wait)

    def credentials(self) -> images.Credentials:
        """The registry credentials to send."""
        own = self.registry.partition("/")[0]
        return images.local_credentials(None if self.registry_auth else own)


@dataclass(frozen=True, slots=True)
class DeployProgress:
    """Called with the progress of a deploy.

    Attributes:
        note: a remark for the user; may have several lines.
        services: how far each service is, after every poll.
    """

    note: Callable[[str], None]
    services: converge.Progress = lambda _: None

    def rolling_back(self, interrupts: Interrupts) -> DeployProgress:
        """The same for a rollback, which goes on when the terminal is gone (SIGHUP)."""

        def note(text: str) -> None:
            with suppress(OSError):
                self.note(text)

        def services(found: Sequence[converge.Convergence]) -> None:
            interrupts.left(found)
            with suppress(OSError):
                self.services(found)

        return DeployProgress(note, services)


def deploy(
    target: Target, choice: StackChoice, options: DeployOptions, progress: DeployProgress
) -> list[str]:
    """Deploy a stack; returns what was changed, and how many tasks of each service run.

    Raises:
        NotDeployedError: the new version did not run; it was rolled back unless disabled.
        NotRolledBackError: and the old version does not serve as before.
        RefusedError: another process is deploying this stack, or it needs a routing mesh that the
            nodes do not have; nothing was changed.
        UsageError: the stack cannot be rendered, or docker refuses it; nothing was changed.
    """
    started = time.monotonic()
    stack, note, nodes = choice.name, progress.note, ClusterNodes(target, progress.note)
    addresses = {instance.name: instance.address for instance in target.instances}
    lock_time = _OVERHEAD + 2 * options.wait + options.rollback_timeout + REMOVAL_TIMEOUT
    with Interrupts(stack) as interrupts, connect(target) as swarm, ExitStack() as held:
        again(swarm.client, options.wait, only=NotNowError, note=note)
        engine = Patient(SwarmEngine(swarm), options.wait, note)
        owner = lock.this_process("deploy")
        with interrupts.deferred():  # or a lock stays whose id is not known
            held.enter_context(lock.held(engine, lock.of_stack(stack), lock_time, owner, note))
        settings, source = settle.load(
            engine,
            choice,
            nodes.kernels,
            note,
            recorded=options.recorded,
            images=registry_names(lambda: _home(target, options)),
        )
        before = again(lambda: StackBefore.read(engine, stack, addresses), options.wait)
        plan = make_plan(swarm, engine, source, before.current, options, note)
        _require_mesh(plan, nodes)
        _prefetch(target, engine, plan, options, note)
        made = make_secrets(engine, options.make_secrets)
        count = sum(change.action != CHECK for change in plan.changes)
        note(f"{stack}: {count or 'nothing'} to change")
        services = carry_out(engine, plan, before, options, progress, interrupts, nodes.access)
        interrupts.shield("recording the deploy and removing old services")
        settle.save(engine, choice, settings)
        _remove_old_services(engine, plan, before.current)
    lines = [*_secret_lines(made), *plan.lines()]
    what, total = "deployed" if lines else "unchanged", converge.totals(services) or "no services"
    return [*lines, f"{stack}: {what} after {time.monotonic() - started:.1f} s: {total}"]


def _prefetch(
    target: Target,
    engine: Engine,
    plan: DeployPlan,
    options: DeployOptions,
    note: Callable[[str], None],
) -> None:
    changed = {c.name: c.spec or {} for c in plan.of("services", CREATE, UPDATE)}
    if changed and options.prefetch is not False:
        prefetch_before(
            target,
            again(engine.snapshot, options.wait),
            changed,
            options.credentials(),
            wanted=options.prefetch,
            timeout_s=options.wait,
            note=note,
        )


def preview(
    target: Target, choice: StackChoice, options: DeployOptions, note: Callable[[str], None]
) -> list[str]:
    """What :func:`deploy` would change, one line each. Changes nothing.

    Raises:
        UsageError: docker refuses the compose file, or a config has other content.
        RefusedError: the stack needs a routing mesh that the nodes do not have.
    """
    nodes = ClusterNodes(target, note)
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        _, source = settle.load(
            engine,
            choice,
            nodes.kernels,
            note,
            recorded=options.recorded,
            images=registry_names(
                lambda: _home(target, options), missing=lambda fault: note(f"note: {fault.message}")
            ),
        )
        current = read_current(engine, source.name)
        plan = make_plan(swarm, engine, source, current, options, note)
    _require_mesh(plan, nodes)
    for change in plan.of("secrets", CHECK):
        note(f"note: only a deploy can compare the content of the secret {change.name}")
    missing = [name for name in options.make_secrets if name not in current.known["secrets"]]
    return [*_secret_lines(missing), *plan.lines()]


def _home(target: Target, options: DeployOptions) -> Home:
    return find_home(options.registry, named(target, None))


def _require_mesh(plan: DeployPlan, nodes: ClusterNodes) -> None:
    changed = plan.of("services", CREATE, UPDATE)
    nodes.require_mesh({c.name: sorted(n for _, n in ingress_ports(c.spec or {})) for c in changed})


def _secret_lines(names: Sequence[str]) -> list[str]:
    return [f"+ secret {name} (random value)" for name in names]


def connect(target: Target) -> Failover:
    """A connection for a deploy; registries may take longer to answer than managers."""
    return Failover(target.endpoints, request_timeout=10.0)


def make_plan(
    swarm: Failover,
    engine: Engine,
    source: StackSource,
    current: CurrentStack,
    options: DeployOptions,
    note: Callable[[str], None],
) -> DeployPlan:
    """Let a manager's docker CLI translate the compose file, and compare the result."""
    wanted = again(
        lambda: swarm.ask(lambda manager: _translate(manager.endpoint, source, options)),
        options.wait,
        note=note,
    )
    for line in wanted.notes:
        note(f"docker: {line}")
    nodes = again(lambda: engine.get("/nodes") or (), options.wait)
    wanted = replace(wanted, services=spare_managers(wanted.services, nodes))
    mode, credentials = options.resolve, options.credentials()
    exact = images.resolve_images(wanted, current, engine, mode, credentials, note)
    return plan_changes(exact, current, prune=options.prune)


def _translate(
    manager: Endpoint, source: StackSource, options: DeployOptions
) -> desired.DesiredStack:
    pretend = options.make_secrets
    try:
        return desired.translate(manager, source.name, source.rendered, pretend=pretend)
    except SwarmctlError as fault:
        if not not_now(fault.message):
            raise
        raise NotNowError(fault.message, fault.hint) from fault  # an election hit the CLI


def make_secrets(engine: Engine, names: Sequence[str]) -> list[str]:
    """Create the secrets that do not exist, with a random value; returns their names.

    They do not carry the stack's label: a database that was set up with one may outlive the stack.
    """
    existing = {s["Spec"]["Name"] for s in engine.get("/secrets") or ()} if names else set()
    made = [name for name in names if name not in existing]
    for name in made:
        value = secrets.token_urlsafe(24).encode()
        create(engine, "/secrets/create", {"Name": name, "Data": base64.b64encode(value).decode()})
    return made


def carry_out(
    engine: Engine,
    plan: DeployPlan,
    before: StackBefore,
    options: DeployOptions,
    progress: DeployProgress,
    interrupts: Interrupts,
    access: Callable[[], AccessTo] = lambda: no_rules,
) -> list[converge.Convergence]:
    """Apply a plan and wait; if that fails, roll back and raise as :func:`deploy` does."""
    keeper = SnapshotKeeper(engine)
    rolling_back = f"rolling back {plan.stack}, within {options.rollback_timeout:.0f} s"
    try:
        try:
            services = _apply_and_wait(engine, plan, before, options, progress, keeper)
            _prove(engine, before, options, progress, access)
            return services
        except SwarmctlError:
            interrupts.shield(rolling_back)
            raise
    # Shielded in any case: an interrupt shields before it is raised.
    except (SwarmctlError, KeyboardInterrupt) as fault:
        interrupts.shield(rolling_back)
        progress = progress.rolling_back(interrupts)
        changed = bool(keeper.deployed) and not plan.empty
        failure = DeployFailure(fault, plan.stack, tuple(keeper.evidence()), changed)
        if not options.rollback:
            raise failure.without_rollback() from fault
        progress.note("\n".join([*failure.lines(), "rolling back …"]))
        raise roll_back_failed(
            engine,
            failure,
            before,
            timeout=options.rollback_timeout,
            settle=options.settle,
            progress=progress.services,
        ) from fault


def _apply_and_wait(
    engine: Engine,
    plan: DeployPlan,
    before: StackBefore,
    options: DeployOptions,
    progress: DeployProgress,
    keeper: SnapshotKeeper,
) -> list[converge.Convergence]:
    since = lock.manager_time(engine)
    apply(plan, before.current, engine, options.credentials())
    if not again(lambda: keeper.remember(plan), options.wait):
        return []  # a file without services
    services = converge.wait(
        keeper.snapshot,
        plan.stack,
        timeout=options.wait,
        settle=0.0 if plan.empty else options.settle,
        since=since,
        progress=progress.services,
    )
    _check_specs(engine, plan)
    return services


def _prove(
    engine: Engine,
    before: StackBefore,
    options: DeployOptions,
    progress: DeployProgress,
    access: Callable[[], AccessTo],
) -> None:
    """Require an answer from every published port that can be reached from here."""
    timeout = max(PROOF_TIMEOUT, options.settle)
    health: Health = {}

    def health_now() -> Health:
        nonlocal health
        health = before.health_now(engine)
        return health

    for line in wait_for_answers(health_now, before.health, access, timeout):
        progress.note(line)
    for line in answering(health):
        progress.note(line)


def _check_specs(engine: Engine, plan: DeployPlan) -> None:
    """Check that the services have the specs that were sent, and not what Swarm rolled back to.

    UpdateStatus shows a rollback, unless the managers' clocks differ.
    """
    now = read_current(engine, plan.stack)
    for change in plan.of("services", CREATE, UPDATE):
        there = now.services.get(change.name)
        names = now.network_names
        if there is None or normal(there["Spec"], names) != normal(change.spec or {}, names):
            raise converge.NotConvergedError(
                f"{change.name} runs another version than the one deployed: "
                "Swarm has rolled it back, or another client has changed it"
            )


def _remove_old_services(engine: Engine, plan: DeployPlan, current: CurrentStack) -> None:
    old = {c.name: current.services[c.name]["ID"] for c in plan.of("services", REMOVE)}
    try:
        remove_services(engine, old, REMOVAL_TIMEOUT)
    except DeadlineExceededError as fault:
        raise SwarmctlError(
            f"the stack {plan.stack} is deployed, but {fault.message}",
            "tasks stay listed while their node is down; see swarmctl status",
        ) from fault
