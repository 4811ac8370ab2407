"""`evals validate`, `evals split`, `evals ledger`: golden sets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from evals.commands.options import Common, Door, Json, Sets, command
from evals.errors import EvalsError, GoldenSetError

if TYPE_CHECKING:
    from evals.golden.chain import Entry
    from evals.golden.problems import Problem
    from evals.golden.sets import GoldenSet
    from evals.golden.splitting import SplitPlan

FOUND_PROBLEMS = 1


@dataclass(frozen=True, kw_only=True)
class ValidateOptions(Common):
    """Options of `evals validate`."""

    names: Annotated[list[str] | None, typer.Argument(help="Golden sets. Default: all.")] = None
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings count as errors.")] = False
    fix_card: Annotated[
        bool, typer.Option("--fix-card", help="First write the counts and the hash into each card; prose stays.")
    ] = False
    no_documents: Annotated[
        bool, typer.Option("--no-documents", help="Ingest nothing; gold evidence is not looked for.")
    ] = False


def validate(door: Door, given: ValidateOptions) -> None:
    """Check golden sets: duplicates, leaks from dev to test, contradictions, cards, evidence, balance.

    Ingests the documents of each set into a corpus of its name first. Questions are compared with those of all sets.
    No word of a test case is printed. Exit codes: 0 no error, warnings aside; 1 errors, or with --strict warnings;
    4 misuse, or cases that cannot be read.
    """
    from evals.golden.checks import check
    from evals.golden.sets import golden_set_names, load_golden_set
    from evals.golden.writing import fix_card
    from evals.running.corpus import ready_corpus

    names = given.names or golden_set_names(given.golden_sets)
    if not names:
        raise EvalsError(f"There is no golden set in {given.golden_sets}/.")
    if given.fix_card:
        for name in names:
            fix_card(given.golden_sets / name)
    sets = [load_golden_set(given.golden_sets, name, None) for name in names]
    others = [
        load_golden_set(given.golden_sets, n, None) for n in golden_set_names(given.golden_sets) if n not in names
    ]
    found: dict[str, list[Problem]] = {}
    with ExitStack() as stack:
        services = None if given.no_documents else stack.enter_context(door.services(given.home, None))
        progress = stack.enter_context(door.progress(given.as_json))
        for golden in sets:
            texts = ready_corpus(services, golden, progress) if services else None
            found[golden.name] = check(golden, texts, [one for one in (*sets, *others) if one.name != golden.name])
    if given.as_json:
        door.print_json({golden.name: _as_json(golden, found[golden.name]) for golden in sets})
    else:
        for golden in sets:
            _show_problems(door, golden, found[golden.name])
    counted = ("error", "warning") if given.strict else ("error",)
    bad = any(problem.severity in counted for problems in found.values() for problem in problems)
    raise typer.Exit(FOUND_PROBLEMS if bad else 0)


def _as_json(golden: "GoldenSet", problems: "Sequence[Problem]") -> dict[str, Any]:
    return {"cases": len(golden.cases), "problems": [asdict(problem) for problem in problems]}


def _show_problems(door: Door, golden: "GoldenSet", problems: "Sequence[Problem]") -> None:
    errors = sum(problem.severity == "error" for problem in problems)
    title = f"{len(golden.cases)} cases, {errors} errors, {len(problems) - errors} warnings"
    door.out.print(f"[bold]{escape(golden.name)}[/]: {title}")
    if problems:
        table = Table("", "check", "what")
        for problem in problems:
            colour = "red" if problem.severity == "error" else "yellow"
            table.add_row(f"[{colour}]{problem.severity}[/]", problem.code, escape(problem.message))
        door.out.print(table)


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """Options of `evals split`."""

    name: Annotated[str, typer.Argument(help="A golden set.")]
    by: Annotated[
        Literal["group", "time", "random-stratified"],
        typer.Option(help="group: the largest groups first; random-stratified: in random order; time: newest to test."),
    ] = "group"
    test_share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of the cases, for the test split.")] = 0.3
    seed: Annotated[int, typer.Option(help="The same seed gives the same split.")] = 0
    reassign: Annotated[
        bool, typer.Option("--reassign", help="Also move cases that have a split: looked-at dev cases become test.")
    ] = False
    write: Annotated[bool, typer.Option("--write", help="Write cases.jsonl and the card; else only show the plan.")] = (
        False
    )
    golden_sets: Sets = Path("golden_sets")
    as_json: Json = False


def split(door: Door, given: SplitOptions) -> None:
    """Assign cases that state no split yet to dev and test, whole groups together.

    Together stay cases that share a group, a document of evidence or an addition, or that ask the same. Cases that
    have a split keep it, unless --reassign is given. Exit codes: 0 done; 1 the splits cannot be kept apart, nothing
    was written; 4 misuse.
    """
    from evals.golden.cards import SplitBy, read_card
    from evals.golden.cases import cases_hash, load_cases, load_unsplit
    from evals.golden.sets import golden_set_names
    from evals.golden.splitting import SplitRules, plan_split
    from evals.golden.writing import write_card, write_cases

    folder = given.golden_sets / given.name
    path = folder / "cases.jsonl"
    if not path.is_file():
        raise GoldenSetError(f"There is no golden set '{given.name}' in {given.golden_sets}/.")
    by: SplitBy = "random" if given.by == "random-stratified" else given.by
    cases, unassigned = load_unsplit(path)
    names = [name for name in golden_set_names(given.golden_sets) if name != given.name]
    others = [case for name in names for case in load_cases(given.golden_sets / name / "cases.jsonl")]
    plan = plan_split(cases, SplitRules(by, given.test_share, given.seed, given.reassign), unassigned, others)
    if given.write and not plan.conflicts:
        read_card(
            folder / "card.md"
        )  # a card that cannot be brought up to date should stop this before the cases change
        write_cases(path, plan.cases)
        write_card(folder / "card.md", plan.cases, cases_hash(path), by)
    written = given.write and not plan.conflicts
    if given.as_json:
        facts = {key: value for key, value in asdict(plan).items() if key != "cases"}
        splits = {case.id: case.split for case in plan.cases}
        door.print_json({**facts, "test_share": plan.test_share, "splits": splits, "written": written})
    else:
        _show_plan(door, given.name, plan, written)
    raise typer.Exit(FOUND_PROBLEMS if plan.conflicts else 0)


def _show_plan(door: Door, name: str, plan: "SplitPlan", written: bool) -> None:
    kinds: Mapping[str, Counter[str]] = {case.kind: Counter() for case in plan.cases}
    for case in plan.cases:
        kinds[case.kind][case.split] += 1
    table = Table("kind", "dev", "test", title=f"{escape(name)}: {len(plan.cases)} cases, {plan.test_share:.1%} test")
    for kind, count in sorted(kinds.items()):
        table.add_row(kind, str(count["dev"]), str(count["test"]))
    door.out.print(table)
    door.out.print(f"{plan.groups} groups that stay together; the largest holds {plan.largest} cases.")
    door.out.print(f"{len(plan.assigned)} cases had no split; {len(plan.moved)} cases would leave theirs.")
    for ids in plan.conflicts:
        door.out.print(f"[red]In both splits, and must not be:[/] {escape(', '.join(ids))}", soft_wrap=True)
    door.out.print("Written." if written else "Nothing was written." if plan.conflicts else "Give --write to write it.")


@dataclass(frozen=True, kw_only=True)
class LedgerOptions:
    """Options of `evals ledger`."""

    names: Annotated[list[str] | None, typer.Argument(help="Golden sets. Default: all.")] = None
    golden_sets: Sets = Path("golden_sets")
    as_json: Json = False


def ledger(door: Door, given: LedgerOptions) -> None:
    """Show who looked at the locked test splits, and check that nobody changed the ledgers.

    Exit codes: 0 all are intact; 1 one was tampered with; 4 misuse.
    """
    from evals.golden.cards import read_card
    from evals.golden.ledger import NAME, examine_file
    from evals.golden.sets import golden_set_names

    known = golden_set_names(given.golden_sets)
    if unknown := sorted(set(given.names or ()) - set(known)):
        raise GoldenSetError(f"There is no golden set '{unknown[0]}' in {given.golden_sets}/.")
    shown: dict[str, dict[str, Any]] = {}
    for name in given.names or known:
        path = given.golden_sets / name / NAME
        entries, problems = examine_file(path)
        budget = read_card(given.golden_sets / name / "card.md").looks
        looks = sum(entry.kind == "look" for entry in entries)
        shown[name] = {"problems": problems, "looks": looks, "budget": budget}
        if given.as_json:
            shown[name]["entries"] = [entry.model_dump(mode="json") for entry in entries]
        else:
            if problems:
                door.out.print(f"[red]{escape(name)}: tampered with:[/] {escape(problems[0])}", soft_wrap=True)
            _show_looks(door, f"{name}: {looks} of {budget} looks", entries)
    if given.as_json:
        door.print_json(shown)
    raise typer.Exit(FOUND_PROBLEMS if any(one["problems"] for one in shown.values()) else 0)


def _show_looks(door: Door, title: str, entries: "Sequence[Entry]") -> None:
    if not entries:
        door.out.print(escape(title))
        return
    results = {entry.look: entry.result for entry in entries if entry.kind == "result"}
    table = Table("look", "when (UTC)", "who", "release", "suite", "reason", "result", title=escape(title))
    for one in entries:
        if one.kind == "look":
            row = (f"{one.when:%Y-%m-%d %H:%M}", one.who, one.release[:12], one.suite, one.reason)
            table.add_row(str(one.look), *map(escape, row), escape(results.get(one.look) or "no result"))
    door.out.print(table)


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(validate)
    command(cli)(split)
    command(cli)(ledger)
