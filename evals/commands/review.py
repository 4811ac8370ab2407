"""`evals review`, `evals promote`: people look at what went wrong, and turn what they learned into cases."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.markup import escape
from rich.table import Table

from evals.commands.options import Common, Door, Home, Sets, command
from evals.errors import EvalsError, GoldenSetError
from evals.golden.cases import Action, Kind, Quote

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.golden.sets import GoldenSet
    from evals.review.promotion import Candidate, Wish
    from evals.running.evidence import SnapshotTexts

AGREEMENT = "agreement"


@dataclass(frozen=True, kw_only=True)
class ReviewOptions:
    """Options of `evals review`."""

    run: Annotated[
        str,
        typer.Argument(metavar="[RUN]", help="A run's folder, its name, or latest; 'agreement' compares reviewers."),
    ] = "latest"
    set_name: Annotated[str | None, typer.Argument(metavar="[SET]", help="Of 'agreement': the golden set.")] = None
    baseline: Annotated[
        Path | None, typer.Option(help="Folder of the run to put beside it. Default: the suite's accepted baseline.")
    ] = None
    home: Home = None
    golden_sets: Sets = Path("golden_sets")
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 0
    reviewer: Annotated[str | None, typer.Option(help="Who reviews. Default: git's user.")] = None
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the link.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="Of 'agreement': print JSON for machines.")] = False


def review(door: Door, given: ReviewOptions) -> None:
    """Open a local page to look at what went wrong in a run: label causes, fix cases, retire them, all on record.

    `evals review agreement SET` tells instead how far each two reviewers agree (Cohen's kappa).
    Served on this machine only, to whoever has the link, until Ctrl-C. Runs of the test split are refused.
    Exit codes: 0 done; 4 there is no such run or it cannot be reviewed.
    """
    if given.run == AGREEMENT:
        _agreement(door, given)
        return
    if given.set_name is not None:
        raise EvalsError("A golden set is named only after 'agreement': evals review agreement SET.")
    import secrets

    from app.http.local_page import serve_local
    from evals.review.desk import Place, open_desk
    from evals.review.pages import STATIC
    from evals.review.room import ReviewRoom
    from evals.review.runs import open_baseline, open_run
    from evals.running.provenance import git_user

    with door.services(given.home, None) as services:
        home = services.settings.home
        run = open_run(home, given.run)
        reviewer = given.reviewer or git_user(Path.cwd())
        baseline = open_baseline(run, given.baseline)
        place = Place(given.golden_sets, home)
        desk = open_desk(run, baseline, place, reviewer, lambda golden, at: _texts(services, golden, at))

        def opened(link: str) -> None:
            door.out.print(f"Review of {escape(run.folder.name)} as {escape(reviewer)}: {link}", soft_wrap=True)
            door.out.print("The link works once. Ctrl-C ends the review.")
            if not given.no_browser:
                typer.launch(link)

        token = secrets.token_urlsafe(32)
        serve_local(ReviewRoom(desk).routes(), port=given.port, token=token, static=STATIC, opened=opened)


def _agreement(door: Door, given: ReviewOptions) -> None:
    from evals.review.agreement import agreements
    from evals.review.audit import read_entries

    if given.set_name is None or not (given.golden_sets / given.set_name).is_dir():
        raise GoldenSetError("Name a golden set: evals review agreement SET.")
    found = agreements(read_entries(given.golden_sets / given.set_name))
    if given.as_json:
        door.print_json([dataclasses.asdict(pair) for pair in found])
        return
    table = Table("reviewers", "labelled by both", "equal", "kappa", "95 % interval", title=escape(given.set_name))
    for pair in found:
        one = pair.agreement
        kappa = "not defined" if one.kappa is None else f"{one.kappa:.2f}"
        interval = "" if one.low is None else f"{one.low:.2f} to {one.high:.2f}"
        table.add_row(escape(f"{pair.one} / {pair.other}"), str(one.n), f"{one.share:.0%}", kappa, interval)
    if found:
        door.out.print(table)
    else:
        door.out.print("No two reviewers have labelled the same case of the same run yet.")


@dataclass(frozen=True, kw_only=True)
class PromoteOptions(Common):
    """Options of `evals promote`."""

    turn_id: Annotated[str | None, typer.Argument(help="A turn; every answer of the service names its own.")] = None
    from_feedback: Annotated[bool, typer.Option("--from-feedback", help="All turns with a thumbs-down.")] = False
    set_name: Annotated[str, typer.Option("--set", help="The golden set that it joins.")] = "handbook"
    kind: Annotated[str | None, typer.Option(help=f"One of: {', '.join(get_args(Kind))}. Default: by --action.")] = None
    action: Annotated[
        str | None, typer.Option(help=f"What is right: {', '.join(get_args(Action))}. Default: answer, as a draft.")
    ] = None
    question: Annotated[str | None, typer.Option(help="Its words, where the turn was kept without them.")] = None
    answer: Annotated[list[str] | None, typer.Option(help="A right answer; may be given again.")] = None
    quote: Annotated[
        list[str] | None, typer.Option(help="Evidence, as uri::text; may be given again. Only with --answer.")
    ] = None
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before writing.")] = False


def promote(door: Door, given: PromoteOptions) -> None:
    """Turn a production turn, or all turns with a thumbs-down, into golden cases of the dev split.

    Personal data is taken out, what is asked already is refused, and so is what belongs to the test split. A case that
    should be answered needs --answer and --quote; without them a draft is kept for `evals review`.
    Exit codes: 0 written, or nothing to do; 1 refused, or not confirmed; 4 misuse.
    """
    from evals.review.promoting import carry_out, weigh

    wish = _wish(given)
    if (given.turn_id is None) == (not given.from_feedback):
        raise EvalsError("Name one turn, or give --from-feedback.")
    if given.from_feedback and (wish.question or wish.answers or wish.quotes):
        raise EvalsError("--question, --answer and --quote are for one turn, not for --from-feedback.")
    with door.services(given.home, None) as services:
        turns = services.turns.rated_down() if given.turn_id is None else [services.turns.turn(given.turn_id)]
        weighed = weigh(services, given.golden_sets, given.set_name, turns, wish)
        accepted = [one for one in weighed if not one.refused]
        if given.as_json:
            door.print_json([_as_json(one) for one in weighed])
        else:
            _show(door, weighed, given.set_name)
        if not accepted:
            raise typer.Exit(1 if weighed else 0)
        if not given.yes and not (not given.as_json and typer.confirm(f"Write {len(accepted)}?")):
            raise typer.Exit(1)
        from evals.running.provenance import git_user

        carry_out(services.settings.home, given.golden_sets, given.set_name, accepted, git_user(Path.cwd()))
    if not given.as_json:
        door.out.print(f"Written: {len(accepted)}. Finish drafts with: evals review")


def _texts(services: "Services", golden: "GoldenSet", snapshot: str | None) -> "SnapshotTexts | None":
    from evals.review.promoting import texts_of

    return texts_of(services, golden, snapshot)


def _wish(given: PromoteOptions) -> "Wish":
    from evals.review.promotion import Wish

    action = next((one for one in get_args(Action) if one == (given.action or "answer")), None)
    kind = next((one for one in get_args(Kind) if one == given.kind), None)
    if action is None or (given.kind is not None and kind is None):
        raise EvalsError("There is no such action or kind. See: evals promote --help")
    parts = [text.partition("::") for text in given.quote or ()]
    if any(not uri.strip() or not text.strip() for uri, _, text in parts):
        raise EvalsError("Give a quote as uri::text, such as --quote 'canary.md::Hold it for one hour.'")
    quotes = tuple(Quote(uri=uri.strip(), quote=text.strip()) for uri, _, text in parts)
    if action in ("abstain", "clarify", "refuse") and (given.answer or quotes):
        raise EvalsError(f"The action '{action}' has no answers and no quotes.")
    return Wish(action, kind, given.question, tuple(given.answer or ()), quotes)


def _as_json(one: "Candidate") -> dict[str, object]:
    stated = one.draft.stated() if one.draft else None
    return {"turn_id": one.turn_id, "becomes": _becomes(one), "refused": one.refused or None, "case": stated}


def _becomes(one: "Candidate") -> str | None:
    return None if one.refused else "case" if one.complete else "draft"


def _show(door: Door, weighed: "Sequence[Candidate]", set_name: str) -> None:
    if not weighed:
        door.out.print("There is no turn with a thumbs-down.")
    for one in weighed:
        if one.refused or one.draft is None:
            door.out.print(f"[yellow]refused[/] turn {escape(one.turn_id)}: {escape(one.refused)}", soft_wrap=True)
            continue
        draft = one.draft
        becomes = f"dev case of {set_name}" if one.complete else f"draft for {set_name}"
        door.out.print(f"[bold]{escape(becomes)}[/] {escape(draft.id)} ({draft.kind}, {draft.action})", soft_wrap=True)
        door.out.print(f"  question: {escape(draft.question)}", soft_wrap=True)
        for answer in draft.answers:
            door.out.print(f"  answer: {escape(answer)}", soft_wrap=True)
        for quote in draft.evidence:
            door.out.print(f"  evidence: {escape(quote.uri)}: {escape(quote.quote)}", soft_wrap=True)
        door.out.print(f"  group: {escape(draft.group)}", soft_wrap=True)


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(review)
    command(cli)(promote)
