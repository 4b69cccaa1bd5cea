"""From a template and values to the compose file that ``docker stack deploy`` takes.

A stack is a folder::

    stacks/<name>/docker-compose.yml.j2   the template (Jinja2)
    stacks/<name>/values.yml              every value it uses, with its default
    stacks/<name>/…                       files the template includes or attaches

The output is the template's own text with the values filled in: order and comments stay, and the
same input gives the same bytes (no clock, no randomness). Block lines (``{% … %}``) leave no blank
lines behind. A variable that is not defined is an error. Templates are sandboxed and read nothing
outside the stack's folder. ``true``, ``false`` and ``null`` are written as YAML spells them, and
``a.b`` prefers the key ``b`` of a map to a method of that name (``update``, ``items`` …).

Beyond Jinja's own, a template has:

``stack_name``
    The folder's name, unless a value of that name overrides it.
``file(path)``
    The text of a file of the stack; one that ends in ``.j2`` is itself rendered, with the same
    values.
``text | hashed(name)``
    ``name-<first 12 digits of the text's SHA-256>``. Configs and secrets are immutable in Swarm, so
    a new content needs a new name (moby#35048).
``attach(path)``
    Puts that file (rendered when it ends in ``.j2``, and without that ending) beside the compose
    file and gives the path to it. ``docker stack deploy`` up to at least 28.2 refuses an inline
    ``content:`` for configs ("Additional property content is not allowed"), so configs are files.
``value | to_yaml``
    The value as YAML that reads back as the same value, in YAML 1.1 as well: ``0755``, ``on`` or
    ``8:22`` as strings are quoted. A map or list becomes a block; indent it with ``| indent(6)``.

``map | env_file``
    The map as the text of an ``env_file``, one ``NAME=value`` a line, for a file to ``attach``.
    Refuses what such a file cannot hold: names with spaces, values of several lines.

A config whose name follows its content::

    configs:
      httpd_conf:
        name: {{ file('httpd.conf.j2') | hashed(stack_name ~ '_httpd_conf') }}
        file: {{ attach('httpd.conf.j2') }}

A plain file that ``configs``, ``secrets`` or ``env_file`` name by a relative path goes beside the
output as well, without ``attach``. So the output is one folder that can be copied and deployed::

    swarmctl stack render three_tier -o build/three_tier/
    build/three_tier/docker-compose.yml
    build/three_tier/httpd.conf
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from swarmctl.errors import SwarmctlError, UsageError, unknown
from swarmctl.stack.values import layered, load_yaml, not_yaml

TEMPLATE = "docker-compose.yml.j2"
OUTPUT = "docker-compose.yml"

# What a template's own expressions may raise besides Jinja's errors: {{ 1 + "a" }}, {{ 1 / 0 }}.
_TEMPLATE_FAULTS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    yaml.YAMLError,
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered stack: the compose file, and the files that belong beside it."""

    compose: str
    files: Mapping[str, bytes] = field(default_factory=dict)  # relative POSIX path → content

    def outputs(self, target: Path) -> dict[Path, bytes]:
        """Every file to write, for an output given as ``FILE`` or as a folder ``DIR/``."""
        compose = compose_path(target)
        beside = {compose.parent / name: content for name, content in self.files.items()}
        return {compose: self.compose.encode(), **beside}


def stacks_dir() -> Path:
    """Where stacks are looked up by name.

    ``$SWARMCTL_STACKS``, else the nearest ``stacks`` folder from the working directory upwards,
    else the one of the checkout that swarmctl runs from.
    """
    configured = os.environ.get("SWARMCTL_STACKS")
    if configured:
        return Path(configured)
    here = Path.cwd()
    checkout = Path(__file__).resolve().parents[2]
    candidates = [folder / "stacks" for folder in (here, *here.parents, checkout)]
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def stack_names() -> list[str]:
    """The names of all stacks that can be rendered."""
    folder = stacks_dir()
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if (path / TEMPLATE).is_file())


def find_stack(name_or_path: str) -> Path:
    """The folder of a stack.

    Args:
        name_or_path: a name in :func:`stacks_dir`, or a path to a stack's folder or template.

    Raises:
        UsageError: there is no such stack; the hint lists those there are.
    """
    if name_or_path in stack_names():
        return stacks_dir() / name_or_path
    path = Path(name_or_path)
    folder = path.parent if path.name == TEMPLATE else path
    if (folder / TEMPLATE).is_file():
        return folder
    if "/" in name_or_path:
        raise UsageError(
            f"no stack in {name_or_path}: there is no {TEMPLATE}",
            f"name one of {stacks_dir()}: {', '.join(stack_names()) or 'none there'}",
        )
    raise unknown("stack", name_or_path, stack_names())


def render(
    stack: Path,
    values_files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> str:
    """The compose file of a stack; see :func:`render_stack`."""
    return render_stack(stack, values_files, overrides).compose


def render_stack(
    stack: Path,
    values_files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Rendered:
    """Render a stack with everything that belongs beside its compose file.

    Args:
        stack: the stack's folder.
        values_files: YAML files over the stack's ``values.yml``; later ones win.
        overrides: dotted name → value; they win over all files.

    Raises:
        UsageError: bad values, an undefined variable, a template that fails, output that is not a
            compose file; the message has file:line.
    """
    values = {"stack_name": stack.resolve().name, **layered(stack, values_files, overrides)}
    attached: dict[str, bytes] = {}
    environment = _environment(stack, values, attached)
    try:
        text = environment.get_template(TEMPLATE).render(values)
    except _TEMPLATE_FAULTS as fault:
        raise _explained(fault, stack, values) from fault
    if not text.endswith("\n"):
        text += "\n"
    document = _checked(text, stack / TEMPLATE)
    for name in _named_files(document):
        if name not in attached:
            attached[name] = _read_named(stack, name, stack / TEMPLATE)
    return Rendered(compose=text, files=dict(sorted(attached.items())))


def load_compose(path: Path) -> Rendered:
    """A compose file that is no template, with the files it names, as if it had been rendered.

    Raises:
        UsageError: it cannot be read, is no compose file, or names a file that is not there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read {path}: {fault}") from fault
    document = _checked(text, path)
    named = {name: _read_named(path.parent, name, path) for name in _named_files(document)}
    return Rendered(compose=text, files=dict(sorted(named.items())))


def compose_path(target: Path) -> Path:
    """The compose file for an output that may be a folder."""
    is_folder = target.is_dir() or target.suffix not in (".yml", ".yaml")
    return target / OUTPUT if is_folder else target


def outdated(rendered: Rendered, target: Path) -> list[Path]:
    """The output files that are missing or differ from what is rendered now."""
    return [
        path
        for path, content in rendered.outputs(target).items()
        if not path.is_file() or path.read_bytes() != content
    ]


def write(rendered: Rendered, target: Path) -> list[Path]:
    """Write the compose file and what belongs beside it; returns the files that changed.

    Args:
        rendered: what to write.
        target: the compose file (``*.yml``, ``*.yaml``), or the folder for ``docker-compose.yml``.

    Raises:
        SwarmctlError: a file cannot be written.
    """
    try:
        changed = outdated(rendered, target)
        contents = rendered.outputs(target)
        for path in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[path])
    except OSError as fault:
        raise SwarmctlError(f"cannot write {fault.filename}: {fault.strerror}") from fault
    return changed


# --- the template's world -------------------------------------------------------------------------


class _UndefinedVariableError(jinja2.UndefinedError):
    """Like Jinja's, but knows what was looked up and where."""

    def __init__(self, owner: Any, name: str | None, message: str) -> None:
        super().__init__(message)
        self.owner = owner
        self.name = name


class _Undefined(jinja2.StrictUndefined):
    """Any use is an error that carries the name."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if exc is jinja2.UndefinedError:
            # Jinja only ever calls it with the message.
            exc = functools.partial(_UndefinedVariableError, obj, name)  # type: ignore[assignment]
        super().__init__(hint, obj, name, exc)


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which a map's keys hide its methods: ``{{ web.update.order }}`` is a value."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


class _StackLoader(jinja2.BaseLoader):
    """Loads templates of one stack's folder, and from nowhere else."""

    def __init__(self, stack: Path) -> None:
        self.stack = stack

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        del environment
        return _read(self.stack, template).decode(), str(self.stack / template), lambda: True


def _environment(
    stack: Path, values: Mapping[str, Any], attached: dict[str, bytes]
) -> jinja2.Environment:
    environment = _Environment(
        loader=_StackLoader(stack),
        undefined=_Undefined,
        finalize=_as_yaml_spells_it,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(enabled_extensions=()),  # YAML, not HTML
    )
    # The same input must give the same bytes.
    del environment.filters["random"], environment.globals["lipsum"]

    def file(path: str) -> str:
        if path.endswith(".j2"):
            return environment.get_template(path).render(values)
        return _read(stack, path).decode()

    def attach(path: str) -> str:
        name = str(PurePosixPath(path.removesuffix(".j2")))
        attached[name] = file(path).encode() if path.endswith(".j2") else _read(stack, path)
        return f"./{name}"

    environment.globals.update(file=file, attach=attach)
    environment.filters.update(to_yaml=to_yaml, hashed=hashed, env_file=env_file)
    return environment


def _as_yaml_spells_it(value: Any) -> Any:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value


def hashed(text: str | bytes, name: str) -> str:
    """Name a config or a secret by its content, e.g. ``nginx_conf-3f9a1c2b7d10``.

    Args:
        text: the content.
        name: the part before the hash; with it the whole may have 64 characters in Swarm.

    Raises:
        ValueError: the name would be too long.
    """
    content = text.encode() if isinstance(text, str) else text
    full = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    if len(full) > 64:
        raise ValueError(f"{full!r} is longer than the 64 characters Swarm allows for a name")
    return full


def to_yaml(value: Any) -> str:
    """The value as YAML that reads back the same, without a newline at the end."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises: to_yaml must not swallow what is undefined
    text = yaml.safe_dump(
        value, default_flow_style=False, sort_keys=False, allow_unicode=True, width=10_000
    )
    return text.removesuffix("...\n").rstrip("\n")


def env_file(variables: Mapping[str, Any]) -> str:
    """The text of an environment file, as the docker CLI reads it: values are taken literally.

    Args:
        variables: name → value; ``true`` and ``false`` as YAML spells them, ``null`` is empty.

    Raises:
        ValueError: a name or a value that such a file cannot hold.
    """
    if isinstance(variables, jinja2.Undefined) or not isinstance(variables, Mapping):
        str(variables)  # raises when it is undefined
        raise ValueError("env_file takes a map of names to values")
    lines = []
    for name, value in variables.items():
        if isinstance(value, jinja2.Undefined | Mapping | list | tuple):
            raise ValueError(f"the value of {name} is no scalar: {value!r}")
        text = "" if value is None else str(_as_yaml_spells_it(value))
        if not re.fullmatch(r"[^\s=#][^\s=]*", str(name)):
            raise ValueError(f"{name!r} cannot be the name of a variable")
        if "\n" in text or "\r" in text:
            raise ValueError(f"the value of {name} has several lines; make it a config or a secret")
        lines.append(f"{name}={text}\n")
    return "".join(lines)


def _read(stack: Path, name: str) -> bytes:
    """The content of a file of the stack.

    Raises:
        jinja2.TemplateNotFound: there is none; links that lead out of the folder count as none.
    """
    path = (stack / name).resolve()
    if not path.is_relative_to(stack.resolve()) or not path.is_file():
        raise jinja2.TemplateNotFound(name)
    return path.read_bytes()


# --- checking the output --------------------------------------------------------------------------


def _checked(text: str, source: Path) -> dict[str, Any]:
    try:
        document = load_yaml(text)
    except yaml.YAMLError as fault:
        raise not_yaml(source, text, fault) from fault
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise UsageError(
            f"{source}: the rendered text is not a compose file",
            "it needs a map `services` at the top level",
        )
    return document


def _named_files(document: Mapping[str, Any]) -> Iterator[str]:
    """The relative paths that the compose file itself names."""
    for section in ("configs", "secrets"):
        entries = document.get(section)
        for entry in entries.values() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("file"), str):
                yield from _relative(entry["file"])
    for service in document["services"].values():
        listed = service.get("env_file") if isinstance(service, dict) else None
        for name in [listed] if isinstance(listed, str) else listed or ():
            if isinstance(name, str):
                yield from _relative(name)


def _relative(path: str) -> Iterator[str]:
    if not path.startswith(("/", "~", "$")):  # those name a file of the machine that deploys
        yield str(PurePosixPath(path))


def _read_named(stack: Path, name: str, source: Path) -> bytes:
    try:
        return _read(stack, name)
    except jinja2.TemplateNotFound as fault:
        where = f"{source}: the compose file names {name!r}"
        template = f"{name}.j2"
        if (stack / template).is_file():
            hint = f"render that template: {{{{ attach('{template}') }}}}"
            raise UsageError(f"{where}, but the stack has {template!r}", hint) from fault
        raise _missing_file(name, str(source), stack) from fault


# --- errors ---------------------------------------------------------------------------------------


def _explained(fault: Exception, stack: Path, values: Mapping[str, Any]) -> UsageError:
    where = _where(fault, stack)
    if isinstance(fault, _UndefinedVariableError):
        return _undefined(fault, where, values)
    if isinstance(fault, jinja2.TemplateNotFound):
        return _missing_file(str(fault.name), where, stack)
    if isinstance(fault, jinja2.TemplateSyntaxError):
        return UsageError(f"{where}: {fault.message}")
    if isinstance(fault, jinja2.exceptions.SecurityError):
        return UsageError(f"{where}: {fault}", "templates run in a sandbox")
    if isinstance(fault, jinja2.TemplateError):
        return UsageError(f"{where}: {fault.message}")
    words = "the templates include each other" if isinstance(fault, RecursionError) else str(fault)
    return UsageError(f"{where}: {type(fault).__name__}: {words}")


def _where(fault: Exception, stack: Path) -> str:
    """``file:line`` of the innermost template line that failed."""
    if isinstance(fault, jinja2.TemplateSyntaxError):
        return f"{fault.filename or stack / TEMPLATE}:{fault.lineno}"
    found = str(stack / TEMPLATE)
    trace: TracebackType | None = fault.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(f"{stack}{os.sep}"):
            found = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _undefined(fault: _UndefinedVariableError, where: str, values: Mapping[str, Any]) -> UsageError:
    name = fault.name or ""
    if fault.owner is missing:
        known, prefix = list(values), ""
    elif isinstance(fault.owner, Mapping):
        path = _path_to(fault.owner, values)
        known, prefix = [str(key) for key in fault.owner], f"{path}." if path else ""
    else:
        return UsageError(f"{where}: {fault.message}")
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {prefix + near[0]!r}? " if near else ""
    return UsageError(
        f"{where}: the variable {prefix + name!r} is not defined",
        f"{guess}define it in values.yml, with --values or with --set {prefix}{name}=…",
    )


def _path_to(wanted: Mapping[str, Any], values: Mapping[str, Any]) -> str | None:
    """The dotted name under which a map is found in the values."""
    for key, value in values.items():
        if value is wanted:
            return key
        if isinstance(value, Mapping) and (below := _path_to(wanted, value)):
            return f"{key}.{below}"
    return None


def _missing_file(name: str, where: str, stack: Path) -> UsageError:
    there = sorted(str(path.relative_to(stack)) for path in stack.rglob("*") if path.is_file())
    near = difflib.get_close_matches(name, there, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(
        f"{where}: there is no file {name!r} in the stack",
        f"{guess}files must lie in {stack}: {', '.join(there)}",
    )
