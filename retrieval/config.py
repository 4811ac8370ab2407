"""Settings of the retrieval room."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


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


class SourceLimits(BaseModel):
    """Bounds on one source that is not a folder of this machine: a Git repository, a web site, an object store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_files: int = Field(20_000, ge=1, description="Documents taken from it.")
    max_bytes: int = Field(5_000_000_000, ge=1, description="Bytes taken from it.")
    timeout_s: float = Field(3_600.0, gt=0, description="Wall-clock time of fetching it.")
    request_timeout_s: float = Field(30.0, gt=0, description="For the next bytes of an answer.")
    requests_per_s: float = Field(5.0, gt=0, description="To one web site; its robots.txt may ask for fewer.")
    allow_private_addresses: bool = Field(False, description="Let a sitemap lie in a private network.")
    s3_endpoint: str = Field("https://s3.amazonaws.com", description="Of an S3-compatible store.")


class IndexSettings(BaseModel):
    """Where the indexes of snapshots are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: Literal["faiss", "postgres", "milvus", "llama_index"] = Field(
        "faiss",
        description="`faiss`: folders under ASSAY_HOME; `postgres`, `milvus`, `llama_index`: docs/scale.md.",
    )
    kind: Literal["auto", "flat", "ivf", "hnsw"] = Field(
        "auto", description="Of the vectors in folders; `auto`: `flat`, and `ivf` from `quantised_from` rows on."
    )
    quantised_from: int = Field(100_000, ge=1, description="Chunks of one tenant from which `auto` takes `ivf`.")
    url: SecretStr | None = Field(
        None, description="Of the server. `postgres`: by default the `database_url`; `milvus`: a file under ASSAY_HOME."
    )
    factory: str = Field("", description="`llama_index`: `package.module:function`, which makes the vector stores.")
    token: SecretStr | None = Field(None, description="`milvus`: user:password, or a key.")
    connections: int = Field(8, ge=1, le=100, description="To the server, of one process.")
    timeout_s: float = Field(10.0, gt=0, description="For one query, and for the wait for a connection.")
    graph_rows: int | None = Field(
        None, ge=1, description="`postgres`: from so many rows on vectors get an HNSW graph. Default: always exact."
    )


Policy = Literal["off", "flag", "redact", "pseudonymise"]


class PrivacySettings(BaseModel):
    """What is done about personal data before anything of a document is stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Policy = Field("off", description="`flag` counts it, `redact` and `pseudonymise` replace it.")
    corpora: dict[str, Policy] = Field({}, description="The policy of single corpora.")


class RerankSettings(BaseModel):
    """The second look at the best passages, by a cross-encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    candidates: int = Field(12, ge=1, le=200, description="Passages that the cross-encoder may read.")
    weight: float = Field(2.0, ge=0, description="Of its score, beside the first stage's weight of 1.")
    skip_margin: float | None = Field(
        0.1, ge=0, description="Not asked where all parts put one passage first, ahead by so much; empty: always asked."
    )
    max_tokens: int = Field(6_000, ge=1, description="Budget of one question: tokens of queries and passages read.")
    feedback: float = Field(
        0.5,
        ge=0,
        le=2,
        description="How far a question's vectors move towards what the cross-encoder liked, for a second search; "
        "0: there is none.",
    )
    kind: Literal["cross_encoder", "sparse", "multi_vector"] = Field(
        "cross_encoder", description="What lies in `folder`."
    )
    folder: Path | None = Field(None, description="A sentence-transformers model in place of the packaged one.")
    timeout_ms: int = Field(
        2_000, ge=1, description="On an overloaded machine it stops here; the rest keep their order."
    )


class RetrievalSettings(BaseModel):
    """All settings of the retrieval room."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embedders: tuple[str, ...] = Field(
        ("minilm", "bge"),
        min_length=1,
        description="`minilm`, `bge`, or a name of `models`. The first one also counts chunks and reads sentences.",
    )
    models: dict[str, Path] = Field({}, description="Folders of further sentence-transformers embedders, by name.")
    chunk_tokens: int = Field(200, ge=32, le=8192, description="Upper bound of a chunk, in tokens of the embedder.")
    candidates: int = Field(100, ge=1, le=10_000, description="Hits taken from each retriever before fusion.")
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="Of `bm25` and each embedder in the weighted average; one that is not named weighs 1."
    )
    index: IndexSettings = IndexSettings()
    privacy: PrivacySettings = PrivacySettings()
    rerank: RerankSettings = RerankSettings()
    duplicate_similarity: float | None = Field(
        None, gt=0, le=1, description="A passage this alike to a better one is left out (Jaccard, 5-word shingles)."
    )
    diversity: float = Field(0.0, ge=0, lt=1, description="How much likeness to better passages counts against (MMR).")
    parse: ParseLimits = ParseLimits()
    sources: SourceLimits = SourceLimits()
    parse_workers: int = Field(2, ge=1, le=64)
    embed_group: int = Field(512, ge=1, le=4096, description="Chunks embedded and stored in one transaction.")
    ray_address: str = Field("", description="Of a Ray cluster for `--engine ray`; empty: one is started here.")
    keep_indexes: int = Field(
        5, ge=2, description="Index folders kept per corpus; documents of all snapshots are kept."
    )
