"""Run as a process: ingests a folder alone, then on a cluster of two nodes; WORK/result.json says what each made.

python -m tests.ray_driver FOLDER WORK [hashing|models] [kill]
"""

import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect

from app.bootstrap import build
from app.settings import load_settings
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.port import Vectors
from retrieval.files import list_files
from retrieval.ingest import Ingestor
from retrieval.on_ray import ray_engine

TIMES = {"created", "seen", "at"}


class Slow(HashingEmbedder):
    """Takes long enough to be killed, and says who it is while it works."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        (self.folder / str(os.getpid())).touch()
        time.sleep(0.5)
        return super().embed_passages(texts)


def made(home: Path) -> dict[str, str]:
    """A digest of every table's rows, times of writing aside, and of every index file."""
    found = {}
    with closing(connect(home / "assay.db")) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = db.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            rows = [{n: v for n, v in zip(names, row, strict=True) if n not in TIMES} for row in cursor]
            found[table] = hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()[:12]
    for path in sorted((home / "indexes").rglob("*")):
        if path.is_file():
            found[str(path.relative_to(home))] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return found


def ingest(home: Path, folder: Path, embedder: HashingEmbedder | None, address: str | None) -> dict[str, object]:
    settings = load_settings(home=home)
    rules = settings.retrieval.model_copy(update={"embed_group": 4})
    services = build(settings.model_copy(update={"retrieval": rules}), embedder=embedder)
    ingestor: Ingestor = services.ingestor
    began = time.monotonic()
    try:
        if address is None:
            report = ingestor.ingest(list_files([folder]), "default")
        else:
            with ray_engine(address, rules.parse) as engine:
                publisher = replace(ingestor.publisher, embed_groups=engine.embed)
                on_ray = replace(ingestor, open_parser=engine.parser, publisher=publisher)
                report = on_ray.ingest(list_files([folder]), "default")
    finally:
        services.close()
    seconds = round(time.monotonic() - began, 1)
    return {"snapshot": report.snapshot, "chunks": report.chunks, "seconds": seconds, "made": made(home)}


def kill_one(folder: Path, killed: list[int]) -> None:
    """SIGKILL to the first worker that embeds."""
    while not (found := [int(path.name) for path in folder.iterdir()]):
        time.sleep(0.02)
    os.kill(found[0], signal.SIGKILL)
    killed.append(found[0])


def main(folder: Path, work: Path, *how: str) -> None:
    from ray.cluster_utils import Cluster

    models = "models" in how
    workers, killed = work / "workers", []
    workers.mkdir(parents=True)
    alone = ingest(work / "alone", folder, None if models else HashingEmbedder(), None)
    # One core each: both nodes must work.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        if "kill" in how:
            threading.Thread(target=kill_one, args=(workers, killed), daemon=True).start()
        on_ray = ingest(work / "ray", folder, None if models else Slow(workers), cluster.address)
    finally:
        cluster.shutdown()
    result = {"alone": alone, "ray": on_ray, "killed": killed, "workers": len(list(workers.iterdir()))}
    (work / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
