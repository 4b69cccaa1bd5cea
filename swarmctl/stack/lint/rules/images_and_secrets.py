"""SW060 to SW062: images without a fixed tag, passwords in the environment, fixed names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from swarmctl.reading.yaml_nodes import ScalarNode
from swarmctl.registry.reference import parse
from swarmctl.stack.compose.view import Definition, Stack, Variable
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW060", "image-tag", Severity.WARNING, "an image without a fixed tag")
def image_tag(stack: Stack, _: Context) -> Iterator[Hit]:
    """A task that moves later may start another version than the one that died."""
    for service in stack.services:
        path = (*service.path, "image")
        found = parse(service.image or "")
        if found is None or found.digest or stack.has_unset(path):
            continue
        if found.tag in ("", "latest"):
            kind = "the tag latest" if found.tag else "no tag (latest)"
            words = (
                f"the image {service.image!r} has {kind}: its content can change between deploys, "
                "and a rollback cannot restore it; use a version tag"
            )
            yield Hit(path, words, on_value=True)


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
def plain_secret(stack: Stack, _: Context) -> Iterator[Hit]:
    """docker inspect and process dumps show it."""
    for service in stack.services:
        for variable in service.environment:
            found = _secret(variable) or _from_outside(stack, variable)
            if found:
                words = (
                    f"{variable.name} puts {found} into the environment, which docker inspect "
                    "shows; use a secret (many images read NAME_FILE)"
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


@rule(
    "SW062",
    "fixed-name",
    Severity.WARNING,
    "a config or secret keeps its name when its content changes",
)
def fixed_name(stack: Stack, _: Context) -> Iterator[Hit]:
    """Configs and secrets are immutable: new content under the old name fails to deploy."""
    for section in ("configs", "secrets"):
        for definition in stack.definitions(section).values():
            if definition.external or not isinstance(definition.get("file"), str):
                continue
            if _follows_content(stack, definition):
                continue
            kind = section.removesuffix("s")
            words = (
                f"the {kind} {definition.key!r} keeps its name when its file changes, and the next "
                "deploy fails (“only updates to Labels are allowed”); put a hash of the content in "
                "its name"
            )
            path = (*definition.path, "name") if definition.name else definition.path
            yield Hit(path, words)


def _follows_content(stack: Stack, definition: Definition) -> bool:
    written = stack.node((*definition.path, "name"))
    if isinstance(written, ScalarNode) and "$" in written.raw.replace("$$", ""):
        return True
    return bool(_CONTENT.search(definition.name or definition.key))
