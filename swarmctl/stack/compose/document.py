"""A YAML file as ``docker stack`` reads it: its text, its nodes with their places, its values."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.reading import document
from swarmctl.reading.yaml_nodes import MapNode, Mark, YamlError
from swarmctl.reading.yaml_parse import compose
from swarmctl.stack.compose.scalars import Value
from swarmctl.stack.compose.values import Resolver

MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document(document.Document[dict[str, Value]]):
    """The first document of a compose file."""

    root: MapNode


def load(data: bytes) -> Document:
    """Read the first document of a YAML file.

    Args:
        data: the file's bytes: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        YamlError: it is not text, not YAML, not a map, or has what Go's yaml.v3 refuses.
    """
    if len(data) > MAX_BYTES:
        raise YamlError(f"larger than {MAX_BYTES // 2**20} MiB", Mark(1, 1, 0))
    text = decode(data)
    root = compose(text)
    if not isinstance(root, MapNode):
        raise YamlError("top-level object must be a mapping", root.start if root else Mark(1, 1, 0))
    return Document(text, root, Resolver().mapping(root, 0))


_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def encoding(data: bytes) -> tuple[bytes, str]:
    """The byte order mark of a file, if any, and the encoding it stands for."""
    return next(((bom, name) for bom, name in _BOMS if data.startswith(bom)), (b"", "utf-8"))


def decode(data: bytes) -> str:
    """The text of a YAML file, without its byte order mark.

    Raises:
        YamlError: the bytes are not text.
    """
    bom, name = encoding(data)
    body = data[len(bom) :]
    try:
        return body.decode(name)
    except UnicodeDecodeError as fault:
        good = body[: fault.start].decode(name, "replace")
        line = good.count("\n") + 1
        column = len(good) - (good.rfind("\n") + 1) + 1
        raise YamlError(f"not {name.upper()} text", Mark(line, column, len(good))) from fault
