"""`evals forget`: an erasure that takes golden sets and training files along."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.forget import ForgetOptions, erase, show
from evals.commands.options import Door, Home, command
from evals.errors import EvalsError

if TYPE_CHECKING:
    from app.erasure import Elsewhere


@dataclass(frozen=True, kw_only=True)
class EvalsForgetOptions(ForgetOptions):
    """Options of `evals forget`."""

    golden_sets: Annotated[
        list[Path] | None, typer.Option(help="A golden set, or a folder of them; may be given again.")
    ] = None
    training: Annotated[
        list[Path] | None, typer.Option(help="A JSONL file that models are tuned on; may be given again.")
    ] = None
    home: Home = None


def forget(door: Door, given: EvalsForgetOptions) -> None:
    """Erase as `assay forget` does, and golden cases and training examples with it, under one receipt.

    Exit codes: 0 nothing of it is left; 1 something is, the receipt says where; 4 misuse.
    """
    from evals.golden.forgetting import GoldenSets, TrainingFiles

    if given.check or given.lift or (given.doc is None) + (given.subject is None) + (not given.resume) != 2:
        raise EvalsError("Give one of --doc, --subject and --resume. `assay forget` checks and lifts receipts.")
    if not given.golden_sets and not given.training:
        raise EvalsError("Name --golden-sets or --training; for ASSAY_HOME alone, `assay forget` is enough.")
    elsewhere: list[Elsewhere] = []
    if given.golden_sets:
        elsewhere.append(GoldenSets(given.golden_sets))
    if given.training:
        elsewhere.append(TrainingFiles(given.training))
    with door.services(given.home, None) as services:
        if given.resume:
            with door.progress(given.as_json) as progress:
                outcomes = services.forget.resume(
                    progress or (lambda step, done, total: None), elsewhere, all_of_them=True
                )
        else:
            outcomes = [erase(services, given, elsewhere)]
        show(outcomes, given)


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(forget)
