"""Render a stack: from a template and values to the compose file for ``docker stack deploy``.

A stack is a folder::

    stacks/<name>/docker-compose.yml.j2   the template (Jinja2)
    stacks/<name>/values.yml              every value it uses, with its default
    stacks/<name>/…                       files the template includes or attaches

The output is the template's text with the values filled in: order and comments stay, and the same
input gives the same bytes (no clock, no randomness). Text that some YAML reader would misread is
quoted (:mod:`swarmctl.stack.render.quoting`). What a template can use is described in
:mod:`swarmctl.stack.render.template`.

Files that ``configs``, ``secrets`` or ``env_file`` name by a relative path are part of the output,
also without ``attach``. So the output is one folder that can be copied and deployed::

    swarmctl stack render three_tier -o build/three_tier/
    build/three_tier/docker-compose.yml
    build/three_tier/httpd.conf
"""
