"""Explanations as tables that fit 80 columns."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from app.commands.shared import out, section_table
from app.explain import AnswerExplained, Carried, Redraft
from retrieval.explain import Explained, Explanation, LeftOut
from retrieval.types import Passage

COLUMNS = 8
"""Passages that a matrix has room for."""
TERMS = 8


def print_answer(found: AnswerExplained) -> None:
    """Print a search, and what each of its passages did for each claim."""
    print_search(found.search)
    if not found.claims:
        out.print(f"\nNo claims: there is nothing to carry ({found.source}).", highlight=False)
        return
    _print_matrix(found)
    if found.redrafts:
        _print_redrafts(found.redrafts)


def print_search(found: Explanation) -> None:
    """Print each passage's ranks, scores and words, and what was left aside."""
    out.print(_scores(found))
    out.print(
        "[dim]raw score and rank in the part, score from 0 to 1 over its hits, and what that adds to 'first', the score"
        " of the first stage. 'moved': rank there → rank in the result.[/]",
        highlight=False,
    )
    out.print(_words(found.passages))
    for line in _notes(found):
        out.print(f"[dim]{escape(line)}[/]", highlight=False)
    if found.left_out:
        out.print(_left_out(found.left_out))


def _scores(found: Explanation) -> Table:
    table = section_table("How the passages were found")
    table.expand = True
    table.add_column("", justify="right")
    table.add_column("moved", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("first", justify="right")
    second = list(dict.fromkeys(name for passage in found.passages for name in passage.second))
    for name in found.candidates:
        table.add_column(f"{name}\n×{_number(found.weights[name])}", no_wrap=True)
    for name in second:
        table.add_column(name.replace("_", "\n"), justify="right")
    table.add_column("passage", ratio=1, min_width=16)
    for passage in found.passages:
        table.add_row(
            str(passage.rank),
            _move(passage),
            _number(passage.passage.score),
            _number(passage.fused),
            *(_part(passage, name) for name in found.candidates),
            *(_number(passage.second[name]) if name in passage.second else "–" for name in second),
            escape(_where(passage.passage)),
        )
    return table


def _part(passage: Explained, name: str) -> str:
    if name not in passage.parts:
        return "[dim]–[/]"
    said = passage.parts[name]
    return f"{_raw(said.raw)} [dim]#{said.rank}[/]\n{_number(said.normalised)}\n[cyan]+{_number(said.share)}[/]"


def _move(passage: Explained) -> str:
    if passage.first_rank == passage.rank:
        return f"[dim]{passage.rank}[/]"
    colour = "green" if passage.rank < passage.first_rank else "red"
    return f"[{colour}]{passage.first_rank} → {passage.rank}[/]"


def _words(passages: Sequence[Explained]) -> Table:
    table = section_table("Words that were asked for and found, with what each adds to bm25's raw score")
    table.expand = True
    table.add_column("", justify="right")
    table.add_column("words", ratio=1)
    for passage in passages:
        said = []
        for term in passage.terms[:TERMS]:
            forms = [form for form in term.forms if form != term.asked]
            also = f" [dim]({escape(', '.join(forms))})[/]" if forms else ""
            weight = "" if term.weight == 1 else f" [dim]×{_number(term.weight)}[/]"
            adds = f" [cyan]+{_raw(term.score)}[/]" if term.score is not None else ""
            said.append(f"{escape(term.asked)}{also}{weight}{adds}")
        more = len(passage.terms) - TERMS
        said += [f"[dim]and {more} more[/]"] if more > 0 else []
        table.add_row(str(passage.rank), " · ".join(said) or "[dim]none: found by meaning[/]")
    return table


def _notes(found: Explanation) -> list[str]:
    hits = ", ".join(f"{name} {count}" for name, count in found.candidates.items())
    lines = [f"snapshot {found.snapshot} · candidates: {hits}; {found.considered} chunks in all"]
    if found.reread:
        lines.append(f"the second look ({found.reranker}) was shown {found.reread} of them")
    if found.moved:
        lines.append("a second search started nearer to what the second look liked: the scores are those of that one")
    if found.not_asked:
        lines.append(f"not asked, for it never learnt '{found.language}': {', '.join(found.not_asked)}")
    return lines


def _left_out(rows: Sequence[LeftOut]) -> Table:
    table = section_table("Ranked above the last of these by the first stage, and not among them")
    table.expand = True
    for name in ("rank", "document", "characters", "why"):
        table.add_column(name)
    for row in rows:
        table.add_row(str(row.first_rank), row.doc_id, f"{row.start}-{row.end}", row.why)
    return table


def _print_matrix(found: AnswerExplained) -> None:
    shown = _columns(found)
    table = section_table(f"What each passage carries of each claim (claims of {found.source})")
    table.expand = True
    table.add_column("", justify="right")
    table.add_column("claim", ratio=1, min_width=20)
    for number in shown:
        table.add_column(str(number + 1), justify="center", no_wrap=True)
    for number, (claim, row) in enumerate(zip(found.claims, found.carried, strict=True), start=1):
        cells = (_cell(row[passage], claim.support) for passage in shown)
        table.add_row(f"{chr(96 + number)}" if number <= 26 else str(number), escape(claim.text), *cells)
    out.print(table)
    rest = len(found.passages) - len(shown)
    out.print(
        "[dim]the claim's support by this passage alone; [red]✗[/]: without the passage the claim does not stand;"
        f" ↓: its support falls to this without it; ·: does not support it.{_rest(rest)}[/]",
        highlight=False,
    )


def _columns(found: AnswerExplained) -> list[int]:
    """The passages that support a claim, then the best others, as many as there is room for."""
    count = len(found.passages)
    useful = [i for i in range(count) if any(row[i].alone is not None or row[i].cited for row in found.carried)]
    others = [i for i in range(count) if i not in useful]
    return sorted([*useful, *others][:COLUMNS])


def _rest(count: int) -> str:
    return f" {count} more passages are not shown." if count else ""


def _cell(cell: Carried, support: float) -> str:
    alone = "[dim]·[/]" if cell.alone is None else _number(cell.alone)
    if cell.without is None:
        return f"{alone}[red]✗[/]"
    return f"{alone}[yellow]↓{_number(cell.without)}[/]" if cell.without < support else alone


def _print_redrafts(redrafts: Sequence[Redraft]) -> None:
    table = section_table("What is answered without a passage")
    table.expand = True
    table.add_column("without", justify="right")
    table.add_column("answer", ratio=1)
    for number, redraft in enumerate(redrafts, start=1):
        if not redraft.same:
            table.add_row(str(number), _changed(redraft))
    if any(redraft.same for redraft in redrafts):
        changed = len(table.rows) > 0
        table.add_row("any other" if changed else "any", "[dim]the same answer[/]")
    out.print(table)


def _changed(redraft: Redraft) -> str:
    if redraft.abstains:
        return "[red]none: it abstains[/]"
    lost = ", ".join(chr(97 + number) for number in redraft.lost)
    said = [f"[red]loses {lost}[/]"] if lost else []
    said += [f"[green]adds[/] {escape(text)}" for text in redraft.gained]
    return " · ".join(said) or "the same claims in another order"


def _where(passage: Passage) -> str:
    section = (passage.section or "").rsplit(" > ", 1)[-1]
    parts = (passage.uri, section if section != passage.title else "", passage.page and f"page {passage.page}")
    return " · ".join(part for part in parts if part)


def _number(value: float) -> str:
    """Two decimals without the zero before the point: columns are narrow."""
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0.") else text


def _raw(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else _number(value)
