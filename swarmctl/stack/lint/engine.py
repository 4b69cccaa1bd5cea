"""Lints sources: parse, judge as ``docker stack`` does, run the rules, drop what is disabled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from swarmctl.reading.yaml_nodes import Mark, YamlError
from swarmctl.stack.compose import acceptance, view
from swarmctl.stack.compose import document as yamldoc
from swarmctl.stack.compose.check import Kind
from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint import suppress
from swarmctl.stack.lint.rule import Context, Edit, Hit, Rule, Severity, all_rules
from swarmctl.stack.lint.rules.refused import RULES
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.stack.lint.source import Source
from swarmctl.stack.lint.words import meant


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell, with its place."""

    rule: Rule
    severity: Severity
    message: str
    line: int
    column: int
    edit: Edit | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found in one file."""

    source: Source
    findings: tuple[Finding, ...]
    accepted: bool  # by `docker stack config`
    text: str = ""  # "" when it is not text

    def worst(self) -> Severity | None:
        """The highest severity among the findings."""
        return max((finding.severity for finding in self.findings), default=None)


def lint(
    sources: Sequence[Source],
    environment: Mapping[str, str],
    snapshot: Snapshot | None = None,
) -> list[Report]:
    """Lint files, each by itself, and what only shows when they are seen together.

    Args:
        sources: the files.
        environment: where variables are looked up.
        snapshot: the Swarm they are meant for; without one, rules that need it are silent.
    """
    stacks = [_parse(source, environment) for source in sources]
    reports = []
    for source, stack in zip(sources, stacks, strict=True):
        if isinstance(stack, YamlError):
            reports.append(_unreadable(source, stack))
            continue
        others = [o for o in stacks if isinstance(o, Stack) and o is not stack]
        reports.append(_report(source, stack, Context(snapshot, others, source.exists)))
    return reports


def is_accepted(data: bytes, source: Source, environment: Mapping[str, str]) -> bool:
    """Whether ``docker stack config`` takes a text in place of a source's own."""
    try:
        document = yamldoc.load(data)
    except YamlError:
        return False
    loaded = acceptance.load(document, environment, source.read_file)
    return not any(refusal.kind is not Kind.UNSET for refusal in loaded.refusals)


def _parse(source: Source, environment: Mapping[str, str]) -> Stack | YamlError:
    try:
        document = yamldoc.load(source.data)
    except YamlError as fault:
        return fault
    loaded = acceptance.load(document, environment, source.read_file)
    return view.build(source.label, document, loaded.config, loaded.refusals)


def _unreadable(source: Source, fault: YamlError) -> Report:
    known = all_rules()[RULES[Kind.SYNTAX]]
    line = source.line(fault.mark.line)
    finding = Finding(known, known.severity, fault.message, line, fault.mark.column)
    return Report(source, (finding,), accepted=False)


def _report(source: Source, stack: Stack, context: Context) -> Report:
    disabled = suppress.read(stack.document.text)
    found = [*_run(stack, context), *_unknown_ids(disabled)]
    shown = {
        (f.line, f.column, f.rule.id, f.message): f
        for f in found
        if not disabled.covers(f.rule.id, f.line)
    }
    ordered = [_placed(source, finding) for _, finding in sorted(shown.items())]
    accepted = not any(refusal.kind is not Kind.UNSET for refusal in stack.refusals)
    return Report(source, tuple(ordered), accepted, stack.document.text)


def _run(stack: Stack, context: Context) -> Iterator[Finding]:
    for known in all_rules().values():
        for hit in known.check(stack, context):
            mark = _mark(stack, hit)
            severity = known.severity if hit.severity is None else hit.severity
            yield Finding(known, severity, hit.message, mark.line, mark.column, hit.edit)


def _mark(stack: Stack, hit: Hit) -> Mark:
    return stack.document.locate(hit.path, value=hit.on_value)[0]


def _placed(source: Source, finding: Finding) -> Finding:
    """The same finding at the line of the template, for a text that was rendered."""
    if not source.lines:
        return finding
    line = source.line(finding.line)
    return Finding(finding.rule, finding.severity, finding.message, line, finding.column)


def _unknown_ids(disabled: suppress.Disabled) -> Iterable[Finding]:
    rules = all_rules()
    known = rules["SW090"]
    for line, id_ in disabled.written:
        if id_ not in rules:
            words = f"the comment disables {id_}, and there is no such rule{meant(id_, rules)}"
            yield Finding(known, known.severity, words, line, 1)
