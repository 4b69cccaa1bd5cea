"""The roles' filter plugins, loaded from their files as Ansible does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]


def load_filters(role: str, name: str) -> ModuleType:
    """The module ``roles/<role>/filter_plugins/<name>.py``."""
    path = ROOT / f"roles/{role}/filter_plugins/{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
