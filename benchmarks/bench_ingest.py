"""What an ingest costs beside its embedding: first ingest, the same again, and one more document into many.

python benchmarks/bench_ingest.py [--chunks 10000] [--ratio-chunks 400] [--repeats 3] [--home .bench-ingest]

Ratios are of one run: whole ingest and raw embedding of the same texts take turns. Text is synthetic.
"""

import argparse
import cProfile
import pstats
import random
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from app.bootstrap import EMBEDDERS, Services, build
from app.settings import load_settings
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.port import Embedder
from retrieval.sources.folder import list_files

out = Console(width=140, highlight=False)
CHUNKS_PER_DOCUMENT = 3
SHIPPED = "both, as shipped"


def write_documents(folder: Path, chunks: int, seed: int = 7) -> None:
    """Markdown of about three chunks a document, of a vocabulary of 20,000 invented words."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("aeioubcdfglmnprst", k=chance.randint(2, 9))) for _ in range(20_000)]
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(chunks // CHUNKS_PER_DOCUMENT):
        sections = [f"## Part {i}\n\n" + sentences(chance, words) for i in range(CHUNKS_PER_DOCUMENT)]
        path = folder / f"{number % 100:02}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Document {number}\n\n" + "\n\n".join(sections), encoding="utf-8")


def sentences(chance: random.Random, words: list[str]) -> str:
    return " ".join(" ".join(chance.choices(words, k=9)).capitalize() + "." for _ in range(18))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def services(home: Path, embedder: Embedder | None) -> Services:
    shutil.rmtree(home, ignore_errors=True)
    return build(load_settings(home=home), embedder=embedder)


def ratio(name: str, folder: Path, home: Path, repeats: int) -> None:
    """One embedder, or all that ship; the models are warm, so that their loading counts on neither side."""
    embedders = [make() for make in EMBEDDERS.values()] if name == SHIPPED else [EMBEDDERS[name]()]
    for embedder in embedders:
        embedder.embed_query("warm up")
    files, found = list_files([folder]), []
    for _ in range(repeats):
        joined = services(home, embedders[0])
        publisher = replace(joined.ingestor.publisher, embedders=tuple(embedders))
        ingestor = replace(joined.ingestor, publisher=publisher)
        whole = timed(lambda i=ingestor: i.ingest(files, "default"))
        texts = indexed_texts(joined)
        raw = timed(lambda t=texts: [embedder.embed_passages(t) for embedder in embedders])
        joined.close()
        found.append(raw / whole)
        out.print(f"  {name}: {len(texts)} chunks, ingest {len(texts) / whole:.1f}/s, raw {len(texts) / raw:.1f}/s")
    out.print(
        f"  {name}: ingest rate / raw rate: median {statistics.median(found):.2f}, {min(found):.2f}-{max(found):.2f}"
    )


def indexed_texts(joined: Services) -> list[str]:
    store, chunker = joined.corpora, joined.ingestor.publisher.chunker
    members = store.members("default", store.active("default"))
    documents = (store.document(member.doc_id, member.version) for member in members)
    return [chunk.indexed_text for document in documents for chunk in chunker.chunk(document)]


def again(folder: Path, home: Path, profile: bool) -> None:
    """With the hashing embedder of 384 dimensions: what is left is the ingest's own work."""
    joined = services(home, HashingEmbedder(384))
    first = timed(lambda: joined.ingestor.ingest(list_files([folder]), "default"))
    snapshot = joined.corpora.snapshot("default", joined.corpora.active("default"))
    out.print(f"{snapshot.chunks} chunks of {snapshot.documents} documents, first ingest (hashing) {first:.1f} s")
    for number in range(3):
        same = timed(lambda: joined.ingestor.ingest(list_files([folder]), "default"))
        one = folder / "00" / "upload.md"
        one.write_text(f"# Upload {number}\n\nOne more document, the {number}th of its kind.", encoding="utf-8")
        upload = list_files([one])
        profiler = cProfile.Profile()
        if profile and number == 2:
            profiler.enable()
        more = timed(lambda u=upload: joined.ingestor.ingest(u, "default"))
        profiler.disable()
        one.unlink()
        out.print(f"  the same again {same:.2f} s; one more document {more:.2f} s")
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(32)
    joined.close()


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--chunks", type=int, default=10_000)
    arguments.add_argument("--ratio-chunks", type=int, default=400)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--profile", action="store_true")
    arguments.add_argument("--home", type=Path, default=Path(".bench-ingest"))
    given = arguments.parse_args()
    folder, home = given.home / "documents", given.home / "home"
    if given.ratio_chunks:
        write_documents(folder, given.ratio_chunks)
        for name in (*EMBEDDERS, SHIPPED):
            ratio(name, folder, home, given.repeats)
    if given.chunks:
        write_documents(folder, given.chunks)
        again(folder, home, given.profile)


if __name__ == "__main__":
    main()
