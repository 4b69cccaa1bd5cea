"""An experiment as the user wrote it: as a file, as options of ``chaos run``, or as both."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.reading.document import BadFileError, Document, written
from swarmctl.reading.yaml_nodes import Path


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in a document that is wrong.

    Args:
        path: of the wrong value; of a missing key, its mapping's.
        text: what is wrong.
        line: in the file, if it is not the value's own.
    """

    path: Path
    text: str
    line: int | None = None


@dataclass(frozen=True)
class Source:
    """A document, and where each of its values was written.

    Args:
        value: the whole document, as a file has it.
        file: the file it was read from.
        options: the option that set a value, by the value's path.
        flags: how a key is written as an option, by its path; for documents without a file.
        repeated: values that two options set.
    """

    value: Any
    file: Document[Any] | None = None
    options: Mapping[Path, str] = field(default_factory=dict)
    flags: Mapping[Path, str] = field(default_factory=dict)
    repeated: tuple[Mistake, ...] = ()

    def key(self, path: Path) -> str:
        """How the user writes this key: ``every`` in a file, ``--every`` as an option."""
        return self.flags.get(path) or written(path).removesuffix(": ")

    def raw(self, path: Path) -> str:
        """A single value as it was written."""
        if self.file is not None:
            return self.file.raw(path)
        value = self.value
        for step in path:
            value = value[step]
        return str(value)

    def duplicates(self) -> list[Mistake]:
        """Keys that appear twice."""
        twice = self.file.duplicates() if self.file else ()
        return [
            *(Mistake(path, "this key appears twice", line) for path, line in twice),
            *self.repeated,
        ]

    def with_option(self, path: Path, flag: str, value: Any) -> Source:
        """The document with one more value; a list gets longer, anything else is replaced.

        A value whose mapping cannot be one (the file has a text there) is left out: the schema
        reports the file's mistake.
        """
        whole = copy.deepcopy(self.value)
        mapping = whole
        for step in path[:-1]:
            if not isinstance(mapping, dict):
                return self
            mapping = mapping.setdefault(step, {})
        if not isinstance(mapping, dict):
            return self
        if isinstance(value, list):
            there = mapping.get(path[-1], [])
            if not isinstance(there, list):
                return self
            new = [item for item in value if item not in there]
            paths = [(*path, len(there) + index) for index in range(len(new))] or [path]
            mapping[path[-1]] = there + new
        else:
            paths = [path]
            mapping[path[-1]] = value
        repeated = self.repeated
        if path in self.options and not isinstance(value, list):
            repeated += (Mistake(path, f"cannot be combined with {self.options[path]}"),)
        options = {**self.options, **dict.fromkeys(paths, flag)}
        return replace(self, value=whole, options=options, repeated=repeated)

    def error(self, mistakes: Sequence[Mistake]) -> UsageError:
        """The error that names all mistakes, each with its option or its line."""
        lines = {(self._order(mistake), self._in_words(mistake)) for mistake in mistakes}
        texts = [text for _, text in sorted(lines)]
        if self.file is not None:
            return BadFileError(texts)
        return UsageError("\n".join(texts), "see `swarmctl chaos run --help`")

    def _in_words(self, mistake: Mistake) -> str:
        option = self._option(mistake.path)
        if option is not None:
            return f"{option}: {mistake.text}"
        if self.file is not None:
            return self.file.fault(mistake.path, mistake.text, mistake.line)
        return mistake.text

    def _order(self, mistake: Mistake) -> int:
        option = self._option(mistake.path)
        if option is not None:
            return list(self.options.values()).index(option)
        return (mistake.line or self.file.line(mistake.path)) if self.file else 0

    def _option(self, path: Path) -> str | None:
        """The option that set a value, or the mapping or list it is in."""
        found = (self.options.get(path[:length]) for length in range(len(path), 0, -1))
        return next(filter(None, found), None)
