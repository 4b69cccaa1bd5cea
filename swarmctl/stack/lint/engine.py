"""Lints sources: parse, judge as ``docker stack`` does, run the rules, drop what is disabled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from swarmctl.reading.yaml_nodes import YamlError
from swarmctl.stack.compose import acceptance, view
from swarmctl.stack.compose import document as yamldoc
from swarmctl.stack.compose.check import Kind, Refusal, version_of
from swarmctl.stack.compose.document import Document
from swarmctl.stack.compose.merge import merge
from swarmctl.stack.compose.origins import Place
from swarmctl.stack.compose.view import File, Stack
from swarmctl.stack.lint import suppress
from swarmctl.stack.lint.phrases import meant
from swarmctl.stack.lint.rule import Context, Edit, Rule, Severity
from swarmctl.stack.lint.rules import RULES
from swarmctl.stack.lint.rules.refused import RULE_OF
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.stack.lint.source import Source


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, with its place."""

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
    accepted: bool  # by `docker stack config`, together with the other files of its stack
    text: str = ""  # "" when it is not text

    def worst(self) -> Severity | None:
        """The highest severity among the findings."""
        return max((finding.severity for finding in self.findings), default=None)


def lint(
    sources: Sequence[Source],
    environment: Mapping[str, str],
    snapshot: Snapshot | None = None,
) -> list[Report]:
    """Lint files, each as a stack of its own; see :func:`lint_stacks`."""
    return lint_stacks([[source] for source in sources], environment, snapshot)


def lint_stacks(
    groups: Sequence[Sequence[Source]],
    environment: Mapping[str, str],
    snapshot: Snapshot | None = None,
) -> list[Report]:
    """Lint stacks, each by itself, and what only shows when they are seen together.

    Args:
        groups: the files of each stack; later ones override earlier ones.
        environment: where variables are looked up.
        snapshot: the Swarm they are meant for; without one, rules that need it are silent.

    Returns:
        A report for each file, in the order of the files.
    """
    groups = [_from_first_folder(group) for group in groups]
    stacks = [_parse(group, environment) for group in groups]
    reports: list[Report] = []
    for group, stack in zip(groups, stacks, strict=True):
        if isinstance(stack, Stack):
            others = [o for o in stacks if isinstance(o, Stack) and o is not stack]
            context = Context(snapshot, others, group[0].exists)
            reports += _reports(group, stack, context)
        else:
            reports += [_unreadable(source, stack.get(i)) for i, source in enumerate(group)]
    return reports


def _from_first_folder(group: Sequence[Source]) -> list[Source]:
    """Docker looks up the files named in a stack beside the first compose file."""
    return [replace(source, folder=group[0].folder, files=group[0].files) for source in group]


def is_accepted(data: bytes, source: Source, environment: Mapping[str, str]) -> bool:
    """Whether ``docker stack config`` takes a text in place of a source's own."""
    try:
        document = yamldoc.load(data)
    except YamlError:
        return False
    loaded = acceptance.load(document, environment, source.read_file)
    return not any(refusal.kind is not Kind.UNSET for refusal in loaded.refusals)


def _parse(group: Sequence[Source], environment: Mapping[str, str]) -> Stack | dict[int, YamlError]:
    """The stack of some files, or what is wrong with those that are not YAML."""
    documents, faults = [], {}
    for number, source in enumerate(group):
        try:
            documents.append(yamldoc.load(source.data))
        except YamlError as fault:
            faults[number] = fault
    if faults:
        return faults
    read_file = group[0].read_file
    loaded = [acceptance.load(document, environment, read_file) for document in documents]
    files = [
        File(source.label, document, (*each.refusals, *_other_version(document, documents[0])))
        for source, document, each in zip(group, documents, loaded, strict=True)
    ]
    merged = merge([each.config for each in loaded], environment, read_file)
    return view.build(files, merged.config, merged.origins)


def _other_version(document: Document, first: Document) -> Iterator[Refusal]:
    if version_of(document.value) != version_of(first.value):
        words = "not the version of the first file: docker stack refuses to merge them"
        yield Refusal(Kind.SCHEMA, ("version",), words)


def _unreadable(source: Source, fault: YamlError | None) -> Report:
    if fault is None:  # another file of the stack is not YAML
        return Report(source, (), accepted=False)
    known = RULES[RULE_OF[Kind.SYNTAX]]
    line = source.line(fault.mark.line)
    finding = Finding(known, known.severity, fault.message, line, fault.mark.column)
    return Report(source, (finding,), accepted=False)


def _reports(group: Sequence[Source], stack: Stack, context: Context) -> Iterator[Report]:
    found = list(_run(stack, context))
    accepted = all(r.kind is Kind.UNSET for file in stack.files for r in file.refusals)
    for number, (source, file) in enumerate(zip(group, stack.files, strict=True)):
        text = file.document.text
        disabled = suppress.read(text)
        own = [finding for place, finding in found if place == number]
        shown = {
            (f.line, f.column, f.rule.id, f.message): f
            for f in (*own, *_unknown_ids(disabled))
            if not disabled.covers(f.rule.id, f.line)
        }
        ordered = tuple(_placed(source, finding) for _, finding in sorted(shown.items()))
        yield Report(source, ordered, accepted, text)


def _run(stack: Stack, context: Context) -> Iterator[tuple[int, Finding]]:
    """Each finding with the number of its file."""
    for known in RULES.values():
        for hit in known.check(stack, context):
            place = stack.origins.of(hit.path) if hit.file is None else Place(hit.file, hit.path)
            document = stack.files[place.file].document
            mark, _ = document.locate(place.path, value=hit.on_value)
            severity = known.severity if hit.severity is None else hit.severity
            finding = Finding(known, severity, hit.message, mark.line, mark.column, hit.edit)
            yield place.file, finding


def _placed(source: Source, finding: Finding) -> Finding:
    """The same finding at the line of the template, for a text that was rendered."""
    if not source.lines:
        return finding
    line = source.line(finding.line)
    return Finding(finding.rule, finding.severity, finding.message, line, finding.column)


def _unknown_ids(disabled: suppress.Disabled) -> Iterable[Finding]:
    rules = RULES
    known = rules["SW090"]
    for line, id_ in disabled.written:
        if id_ not in rules:
            words = f"the comment disables the unknown rule {id_}{meant(id_, rules)}"
            yield Finding(known, known.severity, words, line, 1)
