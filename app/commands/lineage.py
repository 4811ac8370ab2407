"""`assay lineage`, `assay explain`: what exactly answered a turn, and why."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.shared import Json, print_json, services_for

if TYPE_CHECKING:
    from app.bootstrap import Services
    from app.store.records import TurnRecord
    from app.types import ChatRequest

Question = Annotated[str | None, typer.Option(help="The turn's question, where its words were not kept.")]
History = Annotated[Path | None, typer.Option(help="The turn's history, a JSON file of {role, content}.")]
Rebuild = Annotated[bool, typer.Option(help="Write the index of the turn's snapshot anew if it was removed.")]


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    cli.command()(lineage)
    cli.command()(explain)


def lineage(
    turn_id: str,
    replay: Annotated[bool, typer.Option(help="Run the turn again over its own snapshot and compare.")] = False,
    question: Question = None,
    history: History = None,
    rebuild: Rebuild = False,
    as_json: Json = False,
) -> None:
    """Print what exactly answered a turn.

    That is its release, snapshot, documents, transforms, quotes, guards, usage and cost. With --replay it exits with
    0 if the turn is reproduced, 1 if it comes out differently, 2 if it cannot be run again.
    """
    from app.commands.printing import print_lineage, print_replay
    from app.lineage import lineage_of
    from app.releases import describe
    from app.rendering import lineage_json
    from app.replay import replay as run_again

    with services_for() as services:
        turn = services.turns.recorded(turn_id)
        found, again = lineage_of(turn, services.snapshots), None
        if replay:
            asked = _request(services, turn, question, history, rebuild=rebuild)
            now = describe(services.pipeline, services.settings)
            again = asyncio.run(run_again(services.pipeline, turn, asked, now, services.snapshots))
    if as_json:
        print_json(lineage_json(found, again))
    else:
        print_lineage(found)
        if again:
            print_replay(found, again)
    raise typer.Exit(1 if again and not again.reproduced else 0)


def explain(
    turn_id: str,
    question: Question = None,
    history: History = None,
    rebuild: Rebuild = False,
    as_json: Json = False,
) -> None:
    """Print why a turn's passages were found.

    The question is searched again in the turn's own snapshot: scores, ranks and words of each passage, and what each
    of them carried of each claim of the answer.
    """
    from app.commands.explained import print_answer
    from app.explain import explain_answer

    with services_for() as services:
        turn = services.turns.recorded(turn_id)
        asked = _request(services, turn, question, history, rebuild=rebuild)
        found = asyncio.run(explain_answer(services.pipeline, asked, turn.answer, turn.provider))
    if as_json:
        print_json(asdict(found))
    else:
        print_answer(found)


def _request(
    services: "Services", turn: "TurnRecord", question: str | None, history: Path | None, *, rebuild: bool
) -> "ChatRequest":
    """The turn's request, checked, and its snapshot ready to be searched."""
    from app.replay import ensure_index, read_history, request_of

    said = read_history(history) if history else None
    asked = request_of(turn, services.turns.seal, question, said)
    ensure_index(services.snapshots, turn, rebuild=rebuild)
    return asked
