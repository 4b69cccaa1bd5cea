"""The rules, a few related ones a file. Importing this package registers all of them."""

from __future__ import annotations

import importlib
import pkgutil

from swarmctl.stack.lint.rule import registered

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

# Every rule by id, in the order of the ids.
RULES = dict(sorted(registered.items()))
