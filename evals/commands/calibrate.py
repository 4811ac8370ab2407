"""`evals calibrate`: the threshold from which on a corpus's questions are answered, fitted to a stated risk."""

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from evals.commands.options import Common, Door, command

if TYPE_CHECKING:
    from app.deciding.calibration import Calibration
    from app.deciding.risk import Threshold


@dataclass(frozen=True, kw_only=True)
class CalibrateOptions(Common):
    """Options of `evals calibrate`."""

    golden_set: Annotated[str, typer.Argument(help="Name of the golden set whose dev cases are used.")]
    corpus: Annotated[
        str | None, typer.Option(help="Corpus that it is fitted for. Default: the set's own, which is ingested first.")
    ] = None
    loss: Annotated[
        Literal["wrong", "unanswerable"],
        typer.Option(help="wrong: any answer that is not right; unanswerable: an answer where none can be given."),
    ] = "wrong"
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be fitted, write nothing.")] = False


def calibrate(door: Door, given: CalibrateOptions) -> None:
    """Fit a corpus's threshold to chat.risk_target on dev cases, and keep it under HOME/calibrations.

    The service reads it from then on. Exit codes: 0 fitted, even where nothing may be answered; 4 misuse.
    """
    from evals.calibrating import at, calibrated, weigh
    from evals.golden.sets import load_golden_set
    from evals.running.corpus import ready_corpus

    golden = load_golden_set(given.golden_sets, given.golden_set)
    with door.services(given.home, None) as services, door.progress(given.as_json) as progress:
        asyncio.run(services.warm_up())
        corpus = given.corpus or golden.corpus
        if given.corpus is None:
            ready_corpus(services, golden, progress)
        weighed = asyncio.run(weigh(services, golden, corpus, given.loss, progress))
        found = calibrated(services, corpus, weighed, golden, given.loss)
        shipped = at(weighed, services.pipeline.decider.model.threshold)
        path = None if given.dry_run else services.pipeline.decider.calibrations.write(found)
    if given.as_json:
        door.print_json({**asdict(found), "id": found.id, "path": path and str(path), "shipped": asdict(shipped)})
    else:
        _show(door, found, shipped)
        door.out.print(f"[dim]{path or 'nothing was written'}[/]", highlight=False, soft_wrap=True)


def _show(door: Door, found: "Calibration", shipped: "Threshold") -> None:
    title = f"{found.corpus}: risk target {found.target:g}, loss '{found.loss}', {found.threshold.n} cases"
    table = Table("threshold", "from", "answered", "wrong", "share wrong", title=title, title_justify="left")
    for name, one in (("calibrated", found.threshold), ("shipped", shipped)):
        share = f"{one.wrong / one.answered:.3f}" if one.answered else "–"
        table.add_row(name, f"{one.value:.3f}", f"{one.answered} of {one.n}", str(one.wrong), share)
    door.out.print(table)
    if not found.threshold.answered:
        door.out.print(
            "No threshold meets the target on these cases: nothing would be answered. Raise chat.risk_target, add "
            "cases, or make answers better first."
        )


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(calibrate)
