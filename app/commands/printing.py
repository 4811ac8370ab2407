"""Lineage as text that fits 80 columns."""

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from app.commands.shared import out, section_table
from app.lineage import Lineage, SnapshotLineage
from app.replay import Replay
from app.store.records import TurnRecord, UsedPassage

HASH_DIGITS = 16
ACTIVATIONS = 3


def print_lineage(found: Lineage) -> None:
    """Print what answered a turn."""
    turn = found.turn
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in (*_asked(turn), *_release(found), *_snapshot(found), *_spent(found)):
        grid.add_row(name, escape(value))
    out.print(grid, highlight=False)
    if found.documents:
        out.print(_documents(found))
    if found.quotes:
        out.print(_quotes(found))
    if turn.passages:
        out.print(_passages(found))


def print_replay(found: Lineage, again: Replay) -> None:
    """Print how the turn came out the second time."""
    out.print()
    out.print("[bold green]REPRODUCED[/]" if again.reproduced else "[bold red]DIFFERS[/]")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("answer", _same(again.answer_same))
    grid.add_row("citations", _same(again.citations_same))
    drift = f", scores by up to {again.score_drift:.2g}" if again.score_drift else ""
    grid.add_row("passages", _same(again.passages_same) + drift)
    then, now = again.provider
    grid.add_row("provider", "the same" if then == now else escape(f"{then} → {now}"))
    turn = found.turn
    served = "serves still" if again.serves_now == turn.snapshot else f"{again.serves_now} serves now"
    grid.add_row("snapshot", f"{turn.snapshot}, searched again; {served}")
    grid.add_row("release", "the same" if not again.release else "another: see below")
    out.print(grid, highlight=False)
    if again.release:
        out.print(_release_differences(again))
    if not again.answer_same:
        out.print(f"[bold]answer now[/]  {escape(again.result.answer)}", highlight=False)
    if not again.passages_same:
        out.print(_moves(found, again))


def _asked(turn: TurnRecord) -> Iterable[tuple[str, str]]:
    access = turn.scope.access
    asker = f"tenant {access.tenant}" if access.tenant else "no tenant"
    groups = f", groups {', '.join(sorted(access.groups))}" if access.groups else ""
    where = "".join(f", {name} = {value}" for name, value in turn.scope.where.items())
    yield "turn", f"{turn.id} · {turn.created:%Y-%m-%d %H:%M:%S} UTC"
    yield "asked by", f"{asker}{groups}{where}"
    yield "question", turn.question if turn.question is not None else _not_kept("hmac", turn.question_hmac)
    if turn.history_hmac:
        said = None if turn.history is None else f"{len(turn.history)} messages, kept"
        yield "history", said or _not_kept("hmac", turn.history_hmac)
    yield "answer", turn.answer if turn.answer is not None else _not_kept("sha256", turn.answer_sha256)
    yield "outcome", f"{turn.reason}, by {turn.provider}"


def _not_kept(kind: str, digest: str) -> str:
    return f"words not kept, {kind} {digest[:HASH_DIGITS]}…" if digest else "not kept"


def _release(found: Lineage) -> Iterable[tuple[str, str]]:
    release = found.turn.release
    if release is None:
        yield "release", "not kept: the turn is older than lineage"
        return
    yield "release", release.id
    yield "  code", f"sha256 {release.code_sha256[:HASH_DIGITS]}…"
    name, _, digest = release.prompt.partition(" ")
    yield "  prompt", f"{name}, sha256 {digest[:HASH_DIGITS]}…"
    yield "  embedders", release.embedder.replace(" + ", "\n")
    yield "  reranker", release.settings.get("retrieval.reranker", "none")
    for part, version in release.parts.items():
        yield f"  {part}", version
    yield "  settings", "\n".join(f"{name} = {value}" for name, value in found.settings.items()) or "all defaults"


def _snapshot(found: Lineage) -> Iterable[tuple[str, str]]:
    turn, held = found.turn, found.snapshot
    if held is None:
        yield "snapshot", f"{turn.snapshot} of {turn.corpus}: no longer stored"
        return
    state = ("serves" if held.serves else "no longer serves") + ("" if held.indexed else ", index removed")
    counts = f"{held.documents} documents, {held.chunks} chunks"
    yield "snapshot", f"{held.id} of {turn.corpus}: {counts}, {state}"
    yield "  made", f"{held.created:%Y-%m-%d %H:%M:%S} UTC"
    yield from _activations(held)
    yield from ((f"  {name}", value.replace(" + ", "\n")) for name, value in held.transforms.items())


def _activations(held: SnapshotLineage) -> Iterable[tuple[str, str]]:
    if not held.activations:
        return
    lines = [
        f"{a.at:%Y-%m-%d %H:%M:%S} UTC by {a.who}" + (f" under contract {a.contract}" if a.contract else "")
        for a in held.activations[-ACTIVATIONS:]
        if a.at
    ]
    yield "  activated", "\n".join(lines)


def _spent(found: Lineage) -> Iterable[tuple[str, str]]:
    turn = found.turn
    yield "guards", "\n".join(" · ".join(verdict.values()) for verdict in turn.verdicts) or "none ran"
    cost = "cost not known" if found.cost_usd is None else f"{found.cost_usd:.6g} USD at today's prices"
    used = f"{turn.usage.prompt_tokens} + {turn.usage.completion_tokens} tokens"
    by = "".join(f"\n  {name}" for name in turn.usage_by_provider)
    yield "usage", f"{used}, {cost}{by}"
    yield "timings", ", ".join(f"{name} {value:.0f} ms" for name, value in turn.timings_ms.items())


def _documents(found: Lineage) -> Table:
    table = section_table("Documents that it could draw on", "", "document", "id @ version", "read from")
    for row in found.documents:
        file = f"\n[dim]sha256 {row.sha256[:HASH_DIGITS]}… by {escape(row.parser)}[/]" if row.sha256 else ""
        uri = escape(row.uri) if row.uri else "[red]no longer stored[/]"
        mark = "[cyan]cited[/]" if row.cited else ""
        table.add_row(mark, uri + file, f"{row.doc_id}\n@{row.version}", escape(row.source))
    return table


def _quotes(found: Lineage) -> Table:
    table = section_table("Cited", "", "quote", "from")
    for number, quote in enumerate(found.quotes, start=1):
        said = "[red]no longer stored[/]" if quote.quote is None else escape(" ".join(quote.quote.split()))
        digest = f"\n[dim]sha256 {quote.quote_sha256[:HASH_DIGITS]}…[/]" if quote.quote_sha256 else ""
        table.add_row(str(number), said + digest, f"{escape(quote.uri or quote.doc_id)}\n{quote.start}-{quote.end}")
    return table


def _passages(found: Lineage) -> Table:
    uris = {document.doc_id: document.uri for document in found.documents}
    table = section_table("Passages", "", "score", "document", "characters")
    for number, used in enumerate(found.turn.passages, start=1):
        name = uris.get(used.doc_id) or used.doc_id
        table.add_row(str(number), f"{used.score:.3f}", escape(name), f"{used.start}-{used.end}")
    return table


def _release_differences(again: Replay) -> Table:
    table = section_table("What differs in the release", "", "then", "now")
    for name, pair in again.release.items():
        table.add_row(name, *(escape(_short(value)) for value in pair))
    return table


def _short(value: str) -> str:
    return f"{value[:HASH_DIGITS]}…" if len(value) == 64 else value or "–"


def _moves(found: Lineage, again: Replay) -> Table:
    uris = {document.doc_id: document.uri for document in found.documents}
    uris |= {passage.doc_id: passage.uri for passage in again.result.passages}
    table = section_table("Passages then and now", "then", "now", "document", "characters")
    then, now = _ranks(again.passages_then), _ranks(again.passages_now)
    for place in dict.fromkeys([*then, *now]):
        doc_id, _, start, end = place
        name = escape(uris.get(doc_id) or doc_id)
        table.add_row(str(then.get(place, "–")), str(now.get(place, "–")), name, f"{start}-{end}")
    return table


def _ranks(passages: Iterable[UsedPassage]) -> dict[tuple[str, str, int, int], int]:
    return {(p.doc_id, p.version, p.start, p.end): rank for rank, p in enumerate(passages, start=1)}


def _same(same: bool) -> str:
    return "the same" if same else "[red]another[/]"
