"""Run as a process that tests kill: ingests a folder into a home, with the hashing embedder slowed down a little."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from app.bootstrap import build
from app.settings import load_settings
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.port import Vectors
from retrieval.files import folders, list_files


class SlowEmbedder(HashingEmbedder):
    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        time.sleep(0.02 * len(texts))
        return super().embed_passages(texts)


def ingest(home: Path, folder: Path) -> str:
    settings = load_settings(home=home)
    rules = settings.retrieval.model_copy(update={"embed_group": 4})
    services = build(settings.model_copy(update={"retrieval": rules}), embedder=SlowEmbedder())
    try:
        return services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder])).snapshot
    finally:
        services.close()


if __name__ == "__main__":
    ingest(Path(sys.argv[1]), Path(sys.argv[2]))
