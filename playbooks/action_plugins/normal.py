"""Modules for AWS run in Ansible's own process: it has read boto3 already, for the inventory.

In a process of its own, a module takes half a second of CPU before it asks AWS anything. The name
of this file is Ansible's hook for it; ``ansible.netcommon`` runs its modules in the same way.
"""

from __future__ import annotations

import json
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from typing import Any

from ansible.module_utils import basic
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.loader import action_loader
from ansible.vars.clean import remove_internal_keys

_COLLECTIONS = ("amazon.aws.", "community.aws.")
_PROFILE = "legacy"  # how arguments and results are written, as between Ansible and its modules

Normal: Any = action_loader.get("ansible.builtin.normal", class_only=True)


class ActionModule(Normal):  # type: ignore[misc]  # Ansible has no type information
    """Runs any module without an action plugin of its own."""

    def _execute_module(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Run the task's module."""
        task = self._task
        here = (
            task.resolved_action.startswith(_COLLECTIONS)
            and self._connection.transport == "local"
            and not (task.async_val or task.become or any(task.environment or ()))
        )
        return self._run_here() if here else super()._execute_module(*args, **options)

    def _run_here(self) -> dict[str, Any]:
        """Tasks are run in processes forked for them, so what is set here concerns no other."""
        collection, _, name = self._task.resolved_action.rpartition(".")
        module = import_module(f"ansible_collections.{collection}.plugins.modules.{name}")
        arguments = dict(self._task.args)
        self._update_module_args(self._task.action, arguments, {})
        encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
        basic._ANSIBLE_PROFILE = _PROFILE
        printed = StringIO()
        with redirect_stdout(printed), suppress(SystemExit):
            module.main()
        result: dict[str, Any] = self._parse_returned_data({"stdout": printed.getvalue()}, _PROFILE)
        remove_internal_keys(result)
        return result
