"""A stack's template: Jinja2 in a sandbox, with functions and filters for compose files.

Block lines (``{% … %}``) leave no blank lines. An undefined variable is an error. ``true``,
``false`` and ``null`` are spelt as in YAML, and ``a.b`` means the key ``b`` of a map rather than a
method of that name (``update``, ``items`` …). A template cannot read files outside the stack's
folder or run code; its time and memory are limited (``template_child``).

A template can use, besides Jinja's own functions and filters:

``stack_name``
    The folder's name, unless a value of that name overrides it.
``file(path)``
    The text of a file of the stack. A file that ends in ``.j2`` is rendered with the same values.
``text | hashed(name)``
    ``name-<first 12 digits of the text's SHA-256>``. Configs and secrets are immutable in Swarm, so
    a new content needs a new name (moby#35048).
``attach(path)``
    Puts that file beside the compose file and returns its path. A file that ends in ``.j2`` is
    rendered, and loses that ending. ``docker stack deploy`` up to at least 28.2 refuses an inline
    ``content:`` for configs ("Additional property content is not allowed"), so configs are files.
``value | to_yaml``
    The value as YAML that every reader reads as the same value: the strings ``0755``, ``on`` and
    ``8:22`` are quoted. A map or list becomes a block; indent it with ``| indent(6)``.
``image(name)``
    The image that the stack builds from ``images/<name>/Dockerfile``, by digest where a registry is
    known: ``registry.example/swarm_app/shop/api:3f9c…@sha256:…``.
``mirrored(image)``
    The registry's copy of another image, which ``swarmctl image mirror`` makes; without a registry,
    the image itself.
``map | env_file``
    The map as the text of an ``env_file``, one ``NAME=value`` a line, for a file to ``attach``.
    Refuses what such a file cannot hold: names with spaces, values of several lines.

A config with a hash of its content in its name::

    configs:
      httpd_conf:
        name: {{ file('httpd.conf.j2') | hashed(stack_name ~ '_httpd_conf') }}
        file: {{ attach('httpd.conf.j2') }}
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2
import yaml
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from swarmctl.stack.render import filters, quoting
from swarmctl.stack.render.stack_files import OUTPUT, TEMPLATE, MissingFileError, read

FUNCTIONS = ("image", "mirrored")  # that name images: swarmctl.images.names answers them
SIZE_LIMIT = 4_000_000  # characters; the Engine takes no larger request either

# What a template's expressions may raise besides Jinja's errors: {{ 1 + "a" }}, {{ 1 / 0 }}.
FAULTS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TimeoutError,
    TypeError,
    ValueError,
    yaml.YAMLError,
)


class UndefinedVariableError(jinja2.UndefinedError):
    """Like Jinja's, with the name and the object it was looked up in."""

    def __init__(self, owner: Any, name: str | None, message: str) -> None:
        super().__init__(message)
        self.owner = owner
        self.name = name


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its values filled in.

    Attributes:
        text: the compose file.
        files: those that it attached: name → content.
        questions: the images that it asked for whose names are not known: function and argument.
    """

    text: str
    files: dict[str, bytes]
    questions: frozenset[tuple[str, str]] = frozenset()


def fill_in(
    stack: Path, values: Mapping[str, Any], images: Mapping[tuple[str, str], str]
) -> Filled:
    """Render a stack's template, without limits: see ``run_template``.

    Args:
        stack: the stack's folder.
        values: what the template may use.
        images: the names of the images that it may ask for, by function and argument.

    Raises:
        FAULTS: the template failed; :mod:`swarmctl.stack.render.template_faults` makes it a
            message.
    """
    attached: dict[str, bytes] = {}
    environment = _environment(stack, values, attached)
    questions: set[tuple[str, str]] = set()

    def answer(function: str, name: object) -> str:
        argument = str(name)
        if (function, argument) not in images:
            questions.add((function, argument))
        return images.get((function, argument), argument)

    for function in FUNCTIONS:
        environment.globals[function] = functools.partial(answer, function)
    text = environment.get_template(TEMPLATE).render(values)
    if len(text) > SIZE_LIMIT:
        raise ValueError(f"the output has more than {SIZE_LIMIT} characters")
    text = quoting.quote(text)
    text = text if text.endswith("\n") else text + "\n"
    return Filled(text, attached, frozenset(questions))


# --- the sandbox ----------------------------------------------------------------------------------


class _Undefined(jinja2.StrictUndefined):
    """An undefined variable: any use raises an error with its name."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if exc is jinja2.UndefinedError:
            # Jinja calls it with the message only.
            exc = functools.partial(UndefinedVariableError, obj, name)  # type: ignore[assignment]  # see above
        super().__init__(hint, obj, name, exc)


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which a map's keys hide its methods: ``{{ web.update.order }}`` is a value."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


class _StackLoader(jinja2.BaseLoader):
    """Loads templates from one stack's folder only."""

    def __init__(self, stack: Path) -> None:
        self.stack = stack

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        del environment
        try:
            text = _text(self.stack, template)
        except MissingFileError as fault:  # as {% include … ignore missing %} expects
            raise jinja2.TemplateNotFound(template) from fault
        return text, str(self.stack / template), lambda: True


class _MarkStrings(Extension):
    """Turns ``{{ x }}`` into ``{{ (x) | marked }}``; ``quoting`` then knows what is a string.

    Not inside ``{% set %}…{% endset %}``, macros and the like: a template may compare that text.
    """

    _KEEPS = ("macro", "call", "filter", "set")

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Jinja's hook: the template's tokens, one after the other."""
        depth = 0
        statement: list[Token] = []
        for token in stream:
            if token.type == "variable_begin" and not depth:
                yield from (token, Token(token.lineno, "lparen", "("))
            elif token.type == "variable_end" and not depth:
                yield Token(token.lineno, "rparen", ")")
                yield Token(token.lineno, "pipe", "|")
                yield Token(token.lineno, "name", "marked")
                yield token
            else:
                yield token
            if token.type == "block_begin":
                statement = []
            elif token.type == "block_end":
                depth = max(0, depth + self._change(statement))
            else:
                statement.append(token)

    def _change(self, statement: list[Token]) -> int:
        word = statement[0].value if statement else ""
        if word in [f"end{opening}" for opening in self._KEEPS]:
            return -1
        signs = [token.type for token in statement if token.type in ("assign", "pipe")]
        is_assignment = word == "set" and signs[:1] == ["assign"]
        return 1 if word in self._KEEPS and not is_assignment else 0


def _environment(
    stack: Path, values: Mapping[str, Any], attached: dict[str, bytes]
) -> jinja2.Environment:
    environment = _Environment(
        loader=_StackLoader(stack),
        undefined=_Undefined,
        finalize=filters.yaml_spelling,
        extensions=[_MarkStrings],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(enabled_extensions=()),  # YAML, not HTML
    )
    # The same input must give the same bytes.
    del environment.filters["random"], environment.globals["lipsum"]

    def file(path: str) -> str:
        if path.endswith(".j2"):
            return quoting.unmark(environment.get_template(path).render(values))
        return _text(stack, path)

    def attach(path: str) -> str:
        name = str(PurePosixPath(path.removesuffix(".j2")))
        content = file(path).encode() if path.endswith(".j2") else read(stack, path)
        if name == OUTPUT or attached.setdefault(name, content) != content:
            raise ValueError(f"another file is already attached as {name!r}")
        return f"./{name}"

    environment.globals.update(file=file, attach=attach)
    environment.filters.update(filters.FILTERS, marked=quoting.mark)
    return environment


def _text(stack: Path, name: str) -> str:
    try:
        return read(stack, name).decode()
    except UnicodeDecodeError as fault:
        raise ValueError(f"{name} is not UTF-8 text") from fault
