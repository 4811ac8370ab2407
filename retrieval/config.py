"""Settings of the retrieval room."""

from pydantic import BaseModel, ConfigDict, Field


class ParseLimits(BaseModel):
    """Bounds on one file. A file over a bound is quarantined, the ingest goes on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_file_bytes: int = Field(50_000_000, gt=0, description="Size of a file on disk.")
    max_inflated_bytes: int = Field(
        300_000_000, gt=0, description="Bytes that an archive or stream really inflates to."
    )
    max_text_chars: int = Field(20_000_000, gt=0, description="Characters of canonical text.")
    timeout_s: float = Field(60.0, gt=0, description="Wall-clock time of one parse.")
    max_memory_bytes: int = Field(1_500_000_000, gt=0, description="Address space a parse may add to its worker.")


class FusionWeights(BaseModel):
    """Weight of each retriever in the normalised weighted average. They need not sum to one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bm25: float = Field(0.5, ge=0)
    dense: float = Field(0.5, ge=0)


class RetrievalSettings(BaseModel):
    """All settings of the retrieval room."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chunk_tokens: int = Field(200, ge=32, le=8192, description="Upper bound of a chunk, in tokens of the embedder.")
    candidates: int = Field(100, ge=1, le=10_000, description="Hits taken from each retriever before fusion.")
    weights: FusionWeights = FusionWeights()
    parse: ParseLimits = ParseLimits()
    parse_workers: int = Field(2, ge=1, le=64)
    embed_group: int = Field(512, ge=1, le=4096, description="Chunks embedded and stored in one transaction.")
    keep_indexes: int = Field(
        5, ge=2, description="Index folders kept per corpus; documents of all snapshots are kept."
    )
