"""SW061 and SW062: passwords in the open, and configs and secrets that cannot be changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from swarmctl.reading.yaml_nodes import ScalarNode
from swarmctl.stack.compose.view import Stack, Thing, Variable
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule

_NAME = re.compile(
    r"(?:^|[_.-])(PASS|PASSWD|PASSWORD|PASSPHRASE|PWD|SECRET|TOKEN|CREDENTIALS?"
    r"|(?:API|ACCESS|PRIVATE|SECRET|ENCRYPTION|SIGNING|JWT)[_.-]?KEY)"
    r"(?:$|[_.-](?:KEY|BASE|HASH|VALUE|[0-9]+)$)"
    r"|(?:PASSWORD|PASSWD|SECRETKEY|APIKEY)$",
    re.IGNORECASE,
)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:([^/\s:@{}$]+)@", re.IGNORECASE)
# ADO, JDBC and libpq: "Server=db;User Id=sa;Password=…;", "host=db password=…"
_CONNECTION = re.compile(r"(?:^|[;&?\s])(?:password|pwd)\s*=\s*[^;&\s{$]+", re.IGNORECASE)
# What is named like a secret and is none.
_HARMLESS = re.compile(
    r"(true|false|yes|no|on|off|none|null|disabled?|enabled?|required|optional|[0-9]{1,2}"
    r"|/[\w./-]*|file:.*|\{\{.*\}\})\Z",
    re.IGNORECASE,
)


@rule("SW061", "plain-secret", Severity.WARNING, "a password in the environment")
def plain_secret(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """docker inspect shows it to everyone with access to any node, and so do process dumps."""
    del swarm
    for service in stack.services:
        for variable in service.environment:
            found = _secret(variable) or _from_outside(stack, variable)
            if found:
                words = (
                    f"{variable.name} puts {found} into the environment, where docker inspect "
                    "shows it; use a secret (many images read NAME_FILE)"
                )
                yield Hit(variable.path, words)


def _secret(variable: Variable) -> str:
    value = variable.value
    if not value:
        return ""
    if _URL.search(value) or _CONNECTION.search(value):
        return "a password"
    if variable.name.upper().endswith("_FILE") or _HARMLESS.match(value):
        return ""
    return "a secret" if _NAME.search(variable.name) else ""


def _from_outside(stack: Stack, variable: Variable) -> str:
    """A secret that the deployer's shell gives; it ends up in the service all the same."""
    if variable.value or variable.name.upper().endswith("_FILE"):
        return ""
    if not _NAME.search(variable.name):
        return ""
    written = stack.node(variable.path)
    has_variable = isinstance(written, ScalarNode) and "$" in written.raw
    return "the shell's secret" if variable.value is None or has_variable else ""


_CONTENT = re.compile(r"[-_.](?=[0-9a-f]*[0-9])[0-9a-f]{6,64}\Z|[-_.]v?[0-9][0-9._-]*\Z", re.I)


@rule("SW062", "fixed-name", Severity.WARNING, "a config or secret whose name outlives its content")
def fixed_name(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Configs and secrets are immutable: a new content under the old name fails to deploy."""
    del swarm
    for section in ("configs", "secrets"):
        for thing in stack.things(section).values():
            if thing.external or not isinstance(thing.get("file"), str):
                continue
            if _follows_content(stack, thing):
                continue
            kind = section.removesuffix("s")
            words = (
                f"the {kind} {thing.key!r} keeps its name when its file changes, and the next "
                "deploy fails (“only updates to Labels are allowed”); put a hash of the content "
                "into its name"
            )
            path = (*thing.path, "name") if thing.name else thing.path
            yield Hit(path, words)


def _follows_content(stack: Stack, thing: Thing) -> bool:
    written = stack.node((*thing.path, "name"))
    if isinstance(written, ScalarNode) and "$" in written.raw.replace("$$", ""):
        return True
    return bool(_CONTENT.search(thing.name or thing.key))
