"""Models that people bring: tiny ones with random weights stand in, through sentence-transformers' own classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.bootstrap import build
from app.errors import ConfigError
from app.settings import load_settings
from retrieval.embedders.folder import FolderEmbedder
from retrieval.errors import ModelMissing
from retrieval.files import list_files
from retrieval.models import fingerprint
from retrieval.rerankers.folder import FolderScorer

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"the canary release traffic harbour fee gap days percent".split(),
]
TEXTS = ["the canary release traffic", "harbour fee", "gap days percent the canary"]


def bert(folder: Path, head: str) -> Path:
    """A BERT of one layer with 16 dimensions and ten words."""
    import torch
    from transformers import BertConfig, BertTokenizerFast
    from transformers.models.bert import modeling_bert

    folder.mkdir(parents=True)
    torch.manual_seed(7)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, num_labels=1,
    )  # fmt: skip
    getattr(modeling_bert, head)(config).save_pretrained(folder)
    (folder / "vocab.txt").unlink(missing_ok=True)
    return folder


def saved(folder: Path, kind: str) -> Path:
    """A model of a kind, saved by its own class."""
    import sentence_transformers as library

    raw = bert(folder / "raw", "BertForMaskedLM" if kind == "SparseEncoder" else "BertModel")
    model: Any = getattr(library, kind)(str(raw), local_files_only=True)
    model.save_pretrained(str(folder / "model"))
    return folder / "model"


def test_an_embedder_from_a_folder_serves(tmp_path: Path, documents: Path) -> None:
    folder = saved(tmp_path, "SentenceTransformer")
    own = FolderEmbedder("own", folder)
    vectors = own.embed_passages(TEXTS)
    assert vectors.shape == (3, own.dimensions) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert own.count_tokens("canary release") == 2
    settings = load_settings(
        home=tmp_path / "home",
        retrieval={"embedders": ("own",), "models": {"own": folder}, "rerank": {"enabled": False}, "chunk_tokens": 32},
    )
    services = build(settings)
    try:
        report = services.ingestor.ingest(list_files([documents]), "default")
        assert report.documents == 3
        assert services.retriever.parts == ("bm25", "own")
    finally:
        services.close()


@pytest.mark.parametrize(
    ("kind", "cls"), [("cross_encoder", ""), ("sparse", "SparseEncoder"), ("multi_vector", "MultiVectorEncoder")]
)
def test_scorers_from_folders_score_between_zero_and_one(kind: str, cls: str, tmp_path: Path) -> None:
    folder = saved(tmp_path, cls) if cls else bert(tmp_path / "raw", "BertForSequenceClassification")
    scorer = FolderScorer(kind, folder)
    scores = list(scorer.scores("canary release", TEXTS))
    assert len(scores) == 3 and all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) == 3
    assert scores == pytest.approx([next(scorer.scores("canary release", [text])) for text in TEXTS], abs=1e-4)
    assert scorer.count_tokens("canary release") == 2


def test_weights_that_could_run_code_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(ModelMissing, match="holds no model"):
        FolderEmbedder("own", folder)
    (folder / "model.safetensors").write_bytes(b"1")
    before = fingerprint(folder)
    FolderEmbedder("own", folder)
    (folder / "pytorch_model.bin").write_bytes(b"1")
    with pytest.raises(ModelMissing, match="could run code"):
        FolderScorer("sparse", folder)
    assert fingerprint(folder) != before


def test_an_unknown_embedder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No embedder is called 'nope'"):
        build(load_settings(home=tmp_path / "home", retrieval={"embedders": ("nope",)}))
