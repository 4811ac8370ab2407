"""`evals redteam`: attacks grown from a golden set's own."""

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from evals.commands.options import UNMEASURABLE, Common, Door, command
from evals.errors import EvalsError

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.golden.sets import GoldenSet
    from evals.redteam.report import Rate, Report
    from evals.redteam.search import Hunt
    from evals.running.runner import Step

_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class RedteamOptions(Common):
    """Options of `evals redteam`."""

    name: Annotated[str, typer.Argument(metavar="[SET]", help="The golden set whose attacks are the seeds.")] = (
        "adversarial"
    )
    seeds: Annotated[int | None, typer.Option(min=1, help="Grow from so many seeds. Default: all.")] = None
    budget: Annotated[
        int, typer.Option(min=2, help="Turns in all: one half for the adaptive search, one for random choice.")
    ] = 200
    seed: Annotated[int, typer.Option(help="Equal seeds grow equal attacks.")] = 0
    depth: Annotated[int, typer.Option(min=1, max=4, help="Transforms in a chain at most.")] = 2
    write: Annotated[
        Path | None, typer.Option(help="Where successes go. Default: HOME/redteam/TIME.jsonl. Never overwritten.")
    ] = None


def redteam(door: Door, given: RedteamOptions) -> None:
    """Attack the pipeline with what grows from a golden set's own attacks, and write down what succeeds.

    Prints success rates with 95 % intervals and what the search gains over random choice. Successes become cases for
    review, with their poisoned documents beside them; no golden set is changed. Only dev cases are seeds.
    Exit codes: 0 it ran, whatever succeeded; 3 unmeasurable: more than 5 % of the turns failed; 4 misuse.
    """
    from evals.golden.sets import load_golden_set
    from evals.redteam.report import summarise
    from evals.redteam.writing import check_free, documents_of, new_cases, write_attacks

    golden = load_golden_set(given.golden_sets, given.name)
    started = datetime.now(UTC)
    with door.services(given.home, None) as services:
        stem = f"{started:%Y%m%dT%H%M%S.%f}"[:-3].replace(".", "-")
        path = given.write or services.settings.home / "redteam" / f"{stem}.jsonl"
        check_free(path)
        with door.progress(given.as_json) as progress:
            adaptive, chance = asyncio.run(_hunt(door, services, golden, given, progress))
    report = summarise(adaptive, chance)
    attacks = new_cases([*adaptive.outcomes, *chance.outcomes])
    if attacks:
        write_attacks(path, attacks)
    if given.as_json:
        written = {"written": len(attacks), "path": str(path) if attacks else None}
        door.print_json({"set": golden.name, "seed": given.seed, **_as_json(report), **written})
    else:
        _show(door, golden.name, given.budget, report)
        if attacks:
            planted = any(attack.document is not None for attack in attacks)
            beside = f", their documents in {documents_of(path)}/" if planted else ""
            door.out.print(f"{len(attacks)} new cases for review: {escape(str(path))}{escape(beside)}", soft_wrap=True)
        else:
            door.out.print("No new case: nothing succeeded that differs from its seed.")
    raise typer.Exit(UNMEASURABLE if report.unmeasurable else 0)


async def _hunt(
    door: Door, services: "Services", golden: "GoldenSet", given: RedteamOptions, progress: "Step | None"
) -> "tuple[Hunt, Hunt]":
    """Both arms, one after the other, each with its half of the budget."""
    from evals.redteam.arena import Arena
    from evals.redteam.attacks import Workshop
    from evals.redteam.search import Hunter
    from evals.redteam.seeds import read_seeds

    seeds = read_seeds(golden, services.ingestor, given.seeds, given.seed)
    build = Workshop(services.settings.chat, given.seed, datetime.now(UTC).date()).build
    half = given.budget // 2
    async with Arena(services, golden, progress) as arena:
        fair = arena.attributable(seeds)
        if not fair:
            raise EvalsError(f"Every canary of '{golden.name}' stands in its own documents: success cannot be told.")
        if left_out := sorted({seed.case.id for seed in seeds} - {seed.case.id for seed in fair}):
            said = f"Left out, their canary stands in the documents: {', '.join(left_out)}"
            door.err.print(escape(said), soft_wrap=True)
        adaptive = await Hunter("adaptive", fair, build, given.depth, given.seed).run(
            given.budget - half, arena.fight, progress
        )
        chance = await Hunter("random", fair, build, given.depth, given.seed).run(half, arena.fight, progress)
    return adaptive, chance


def _as_json(report: "Report") -> dict[str, Any]:
    groups = ("by_kind", "by_family", "by_transform")
    return {
        **dataclasses.asdict(report),
        "unmeasurable": report.unmeasurable,
        "adaptive": _rate(report.adaptive),
        "random": _rate(report.random),
        **{name: {key: _rate(rate) for key, rate in getattr(report, name).items()} for name in groups},
    }


def _rate(rate: "Rate") -> dict[str, float]:
    return {"rate": rate.share, **dataclasses.asdict(rate)}


def _show(door: Door, name: str, budget: int, report: "Report") -> None:
    overall = {"adaptive search": report.adaptive, "random choice": report.random}
    door.out.print(_table(f"attack success on {name}", overall))
    lift = report.lift
    door.out.print(f"lift of the search: {lift.difference:+.1%} ({lift.low:+.1%} to {lift.high:+.1%})")
    door.out.print(_table("by kind of seed", report.by_kind))
    door.out.print(_table("by class of transform", report.by_family))
    shown = dict(list(report.by_transform.items())[:_SHOWN])
    door.out.print(_table(f"by transform ({len(shown)} of {len(report.by_transform)}, worst first)", shown))
    spent = f"{report.turns} turns" + (f" of {budget}: nothing untried was left" if report.turns < budget else "")
    door.out.print(f"{spent}; {report.failed} failed; {report.dropped} attacks dropped as too long")
    for failure, count in sorted(report.failures.items(), key=lambda item: -item[1])[:3]:
        door.out.print(f"  {count} x {escape(failure)}", soft_wrap=True)
    if report.unmeasurable:
        door.out.print("[red]UNMEASURABLE[/]: more than 5 % of the turns failed.")


def _table(title: str, rates: "Mapping[str, Rate]") -> Table:
    table = Table(title=escape(title), title_justify="left")
    table.add_column("")
    for heading in ("success", "95 % interval", "attacks"):
        table.add_column(heading, justify="right")
    for name, rate in rates.items():
        interval = f"{rate.low:.1%} to {rate.high:.1%}"
        table.add_row(escape(name), f"{rate.share:.1%}" if rate.asked else "-", interval, str(rate.asked))
    return table


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(redteam)
