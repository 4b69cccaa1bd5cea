"""``${VAR}`` as ``docker stack`` substitutes it (docker/cli cli/compose/template, interpolation).

Its habits are kept, odd ones too, since a file is judged by what Docker does with it: an unset
variable is silently empty, ``$HOST-name`` is the variable HOST with the default ``name``, and a
later substitution that works hides the failure of an earlier one in the same string.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose.scalars import Timestamp, Value

_SUBST = r"[_a-z][_a-z0-9]*(?::?[-?][^}]*)?"
_PATTERN = re.compile(
    rf"\$(?i:(?P<escaped>\$)|(?P<named>{_SUBST})|{{(?P<braced>{_SUBST})}}|(?P<invalid>))"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A string that cannot be interpolated, or (``fatal`` unset) a variable that has no value."""

    path: Path
    message: str
    fatal: bool = True


class Interpolator:
    """Substitutes variables in a whole compose file and collects what is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[Problem] = []

    def any(self, value: Value, path: Path = ()) -> Value:
        """The value with all its strings substituted, cast where the compose loader casts."""
        if isinstance(value, dict):
            return {key: self.any(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.any(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and not isinstance(value, Timestamp) and "$" in value:
            return self._string(value, path)
        return value

    def _string(self, text: str, path: Path) -> Value:
        substitution = _Substitution(self._environment)
        replaced = _PATTERN.sub(substitution.replace, text)
        for name in substitution.unset:
            words = f"the variable {name} is not set: docker stack puts an empty string here"
            self.problems.append(Problem(path, words, fatal=False))
        if substitution.failure:
            self.problems.append(Problem(path, substitution.failure))
            return text
        if replaced == text:
            return text
        cast = cast_for(path)
        return self._cast(cast, replaced, text, path) if cast else replaced

    def _cast(self, cast: Callable[[str], Value], replaced: str, text: str, path: Path) -> Value:
        try:
            return cast(replaced)
        except ValueError:
            kind = cast.__name__.strip("_").replace("_", " ")
            words = f"{text!r} becomes {replaced!r}, which is no {kind}"
            self.problems.append(Problem(path, words))
            return text


class _Substitution:
    """One string being substituted."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.failure = ""
        self.unset: list[str] = []

    def replace(self, match: re.Match[str]) -> str:
        """What stands for one ``$…``."""
        if match["escaped"]:
            return match["escaped"]
        expression = match["named"] or match["braced"]
        if not expression:
            self.failure = "'$' begins no variable name here; write '$$' for a dollar sign"
            return ""
        for separator in (":-", "-", ":?", "?"):
            if separator in expression:
                return self._conditional(expression, separator)
        self.failure = ""
        if expression not in self._environment:
            self.unset.append(expression)
        return self._environment.get(expression, "")

    def _conditional(self, expression: str, separator: str) -> str:
        name, _, words = expression.partition(separator)
        value = self._environment.get(name)
        self.failure = ""
        if value or (value is not None and len(separator) == 1):
            return value
        if separator[-1] == "-":
            return words
        self.failure = f"the required variable {name} has no value" + (words and f": {words}")
        return ""


# --- casts: only a substituted string is cast -----------------------------------------------------


def _integer(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]+", text, re.ASCII) or not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    # JSON knows no infinity, so what overflows is refused later by Docker.
    if not re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", text, re.ASCII):
        raise ValueError(text)
    if math.isinf(float(text)):
        raise ValueError(text)
    return float(text)


def _boolean(text: str) -> bool:
    word = text.lower()
    if word in ("y", "yes", "true", "on"):
        return True
    if word in ("n", "no", "false", "off"):
        return False
    raise ValueError(text)


_SERVICE_CASTS: dict[Callable[[str], Value], str] = {
    _integer: "configs.[].mode secrets.[].mode healthcheck.retries deploy.replicas "
    "deploy.update_config.parallelism deploy.rollback_config.parallelism "
    "deploy.restart_policy.max_attempts deploy.placement.max_replicas_per_node "
    "ports.[].target ports.[].published ulimits.* ulimits.*.hard ulimits.*.soft oom_score_adj",
    _number: "deploy.update_config.max_failure_ratio deploy.rollback_config.max_failure_ratio",
    _boolean: "healthcheck.disable privileged read_only stdin_open tty volumes.[].read_only "
    "volumes.[].volume.nocopy",
}
_TOP_BOOLEANS = (
    "networks.*.external networks.*.internal networks.*.attachable "
    "volumes.*.external secrets.*.external configs.*.external"
)
_CASTS = {
    f"services.*.{path}": cast for cast, paths in _SERVICE_CASTS.items() for path in paths.split()
} | dict.fromkeys(_TOP_BOOLEANS.split(), _boolean)
_PATTERNS = {tuple(pattern.split(".")): cast for pattern, cast in _CASTS.items()}


def cast_for(path: Path) -> Callable[[str], Value] | None:
    """The cast for a string at a path, or ``None`` where strings stay strings."""
    # Docker joins paths with dots, so a service named "a.b" gets no casts.
    parts = tuple(_parts(path))
    for pattern, cast in _PATTERNS.items():
        if len(pattern) == len(parts) and all(
            expected in ("*", part) for expected, part in zip(pattern, parts, strict=True)
        ):
            return cast
    return None


def _parts(path: Path) -> Iterator[str]:
    for step in path:
        yield from ("[]",) if isinstance(step, int) else step.split(".")
