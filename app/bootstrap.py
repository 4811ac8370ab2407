"""The only place where parts are joined."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

from app import highlight
from app.access import SecondLook
from app.context import Surroundings
from app.conversation import RewriteByModel, Understand, weigh_history
from app.deciding.joined import decider
from app.erasure import Forget
from app.errors import ConfigError
from app.grounding.verify import Grounding
from app.intents import Intents
from app.llm.extractive import Extractive
from app.llm.port import Provider
from app.openlineage import TurnEvents
from app.pipeline import ChatPipeline, Record
from app.privacy import Doors
from app.receipts import Receipts
from app.releases import code_sha256, describe
from app.retention import Retention
from app.settings import ChatSettings, LLMSettings, Settings, load_settings, set_offline_variables
from app.signing import Keys
from app.store.database import open_database
from app.store.erasure import RemovalStores
from app.store.seal import Seal
from app.store.turns import KeyStore, TurnStore
from app.types import ChatRequest, ChatResult
from guardrails.checks.pii import PiiPatterns
from retrieval.chunking import Chunker
from retrieval.config import IndexSettings, RerankSettings, RetrievalSettings
from retrieval.contract.gate import Gate
from retrieval.embedders.bge import BgeSmall
from retrieval.embedders.folder import FolderEmbedder
from retrieval.embedders.minilm import MiniLM
from retrieval.embedders.port import Embedder
from retrieval.erasure import Eraser
from retrieval.errors import IndexOutdated
from retrieval.index.port import IndexStore
from retrieval.index.stores import open_index
from retrieval.ingest import Ingestor
from retrieval.publish import Publisher
from retrieval.reader import Reader
from retrieval.rerankers.cross_encoder import CrossEncoderFusion, MsMarcoMiniLM
from retrieval.rerankers.folder import FolderScorer
from retrieval.rerankers.port import KeepOrder, Reranker
from retrieval.retention import SnapshotRetention
from retrieval.search import Retriever
from retrieval.snapshots import Snapshots
from retrieval.store.corpus import CorpusStore
from retrieval.store.embeddings import EmbeddingCache
from retrieval.store.locks import CorpusLocks
from retrieval.store.profiles import ProfileStore
from retrieval.store.scrubs import ScrubStore
from retrieval.workers import ParserPool

_log = logging.getLogger(__name__)

MODEL_THREADS = 2
"""Model calls at once: each already uses every core, a second one fills the gaps of the first."""

EMBEDDERS: Mapping[str, Callable[[], Embedder]] = {"minilm": MiniLM, "bge": BgeSmall}


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a door needs, joined."""

    settings: Settings
    corpora: CorpusStore
    reader: Reader
    retriever: Retriever
    ingestor: Ingestor
    snapshots: Snapshots
    pipeline: ChatPipeline
    turns: TurnStore
    keys: KeyStore
    events: TurnEvents
    executor: Executor
    forget: Forget
    retention: Retention

    async def warm_up(self) -> None:
        """Load the models and open the index of every corpus, so that the first question waits for neither."""
        loop = asyncio.get_running_loop()
        for work in (self.retriever.warm_up, highlight.warm_up, code_sha256):
            await loop.run_in_executor(self.executor, work)
        for corpus in self.corpora.corpora():
            try:
                await loop.run_in_executor(self.executor, self.reader.current, corpus)
            except IndexOutdated as error:  # the other corpora serve
                _log.warning("%s", error)

    def close(self) -> None:
        """Let go of threads and connections."""
        self.executor.shutdown(wait=True, cancel_futures=True)
        self.retriever.lookups.shutdown(wait=True, cancel_futures=True)
        self.events.close()
        self.snapshots.publisher.indexes.close()
        self.corpora.close()


def build(
    settings: Settings | None = None, *, embedder: Embedder | None = None, provider: Provider | None = None
) -> Services:
    """Join the parts. Cheap: models are loaded by their first use, or by `Services.warm_up`.

    Args:
        settings: By default what `assay.yaml` and `ASSAY_*` say.
        embedder: In place of the packaged models, the cross-encoder among them.
        provider: In place of the one that the settings name.

    Raises:
        ConfigError: A setting is wrong, or ASSAY_HOME cannot be used.
        ModelMissing: Weights are not installed.
    """
    set_offline_variables()
    settings = settings or load_settings()
    rules = settings.retrieval
    engine = open_database(settings.home, settings.database_url)
    executor = ThreadPoolExecutor(MODEL_THREADS, thread_name_prefix="assay-model")
    embedders = (embedder,) if embedder else tuple(_embedder(name, rules) for name in rules.embedders)

    corpora = CorpusStore(engine)
    indexes = open_index(_index(settings), settings.home / "indexes")
    reader = Reader(corpora, indexes)
    lookups = ThreadPoolExecutor(MODEL_THREADS, thread_name_prefix="assay-lookup")
    retriever = _retriever(reader, embedders, (executor, lookups), rules, rerank=embedder is None)
    publisher = _publisher(rules, corpora, EmbeddingCache(engine), indexes, embedders)
    locks = CorpusLocks(settings.home / "locks", engine)
    ingestor = _ingestor(settings, publisher, ProfileStore(engine), ScrubStore(engine), locks)
    keys = Keys(settings.home / "keys")
    forget, retention = _ending(settings, ingestor, RemovalStores.over(engine, keys.erasure), keys)
    ingestor = replace(ingestor, watch=forget.tombstones.watch)
    turns, events = TurnStore(engine, Seal(settings.home / "keys"), settings.chat), TurnEvents(settings.lineage)
    pipeline = _pipeline(settings, retriever, corpora, provider, _recorder(turns, events, settings, executor))
    return Services(
        settings=settings,
        corpora=corpora,
        reader=reader,
        retriever=retriever,
        ingestor=ingestor,
        snapshots=Snapshots(corpora, publisher, locks),
        pipeline=pipeline,
        turns=turns,
        keys=KeyStore(engine),
        events=events,
        executor=executor,
        forget=forget,
        retention=retention,
    )


def _pipeline(
    settings: Settings, retriever: Retriever, corpora: CorpusStore, provider: Provider | None, record: Record
) -> ChatPipeline:
    """The line of a turn over one retriever."""
    executor, decides = retriever.executor, decider(settings.home, settings.chat, retriever)
    extractive = Extractive(decides.reader, executor)
    provider = provider or _provider(settings.llm, extractive)
    return ChatPipeline(
        retriever=retriever,
        provider=provider,
        fallback=extractive,
        grounding=Grounding(settings.chat.min_support),
        record=record,
        settings=settings.chat,
        second_look=SecondLook(corpora, executor).permitted,
        decider=decides,
        highlight=highlight.Highlighter(executor).highlight,
        max_tokens=settings.llm.max_tokens,
        understand=_understand(settings.chat, provider, extractive),
        widen=Surroundings(corpora, retriever.reader, executor, settings.chat.context_chars).widened,
    )


def _recorder(turns: TurnStore, events: TurnEvents, settings: Settings, executor: Executor) -> Record:
    async def record(pipeline: ChatPipeline, asked: ChatRequest, result: ChatResult) -> None:
        def keep() -> None:
            turns.record(result, asked, describe(pipeline, settings))

        await asyncio.get_running_loop().run_in_executor(executor, keep)
        events.tell(result)

    return record


def _index(settings: Settings) -> IndexSettings:
    """The index's settings; an index in Postgres lies beside the state where it names no other place."""
    index = settings.retrieval.index
    beside = index.backend == "postgres" and index.url is None
    return index.model_copy(update={"url": settings.database_url}) if beside else index


def _publisher(
    rules: RetrievalSettings,
    corpora: CorpusStore,
    vectors: EmbeddingCache,
    indexes: IndexStore,
    embedders: tuple[Embedder, ...],
) -> Publisher:
    return Publisher(
        store=corpora,
        vectors=vectors,
        indexes=indexes,
        embedders=embedders,
        chunker=Chunker(rules.chunk_tokens, embedders[0].count_tokens),
        embed_group=rules.embed_group,
        keep_indexes=rules.keep_indexes,
    )


def _ingestor(
    settings: Settings, publisher: Publisher, profiles: ProfileStore, scrubs: ScrubStore, locks: CorpusLocks
) -> Ingestor:
    rules = settings.retrieval
    return Ingestor(
        store=publisher.store,
        publisher=publisher,
        gate=Gate(publisher.store, profiles, settings.home / "contracts"),
        open_parser=lambda: ParserPool(rules.parse, rules.parse_workers),
        locks=locks,
        settings=rules,
        scrubs=scrubs,
        doors=Doors(rules.privacy, PiiPatterns(settings.pii), settings.home / "keys"),
    )


def _ending(settings: Settings, ingestor: Ingestor, stores: RemovalStores, keys: Keys) -> tuple[Forget, Retention]:
    """What takes things out again: on request, and by policy."""
    home = settings.home
    eraser = Eraser(ingestor.store, stores.erasures, ingestor.publisher, ingestor.gate, ingestor.locks)
    forget = Forget(
        home=home,
        eraser=eraser,
        tombstones=stores.tombstones,
        turns=stores.turns,
        database=stores.database,
        intents=Intents(home / "erasures", keys),
        receipts=Receipts(home / "receipts", keys),
    )
    return forget, Retention(settings.retention, SnapshotRetention(eraser), stores.turns, stores.database)


def _retriever(
    reader: Reader,
    embedders: tuple[Embedder, ...],
    threads: tuple[Executor, Executor],
    rules: RetrievalSettings,
    *,
    rerank: bool,
) -> Retriever:
    return Retriever(
        reader,
        embedders,
        *threads,
        candidates=rules.candidates,
        weights=rules.weights,
        reranker=_reranker(rules.rerank) if rerank and rules.rerank.enabled else KeepOrder(),
        duplicate_similarity=rules.duplicate_similarity,
        diversity=rules.diversity,
        feedback=rules.rerank.feedback,
    )


def _embedder(name: str, rules: RetrievalSettings) -> Embedder:
    if name in rules.models:
        return FolderEmbedder(name, rules.models[name])
    if name not in EMBEDDERS:
        raise ConfigError(
            f"No embedder is called '{name}': use {', '.join(EMBEDDERS)}, or name it in retrieval.models."
        )
    return EMBEDDERS[name]()


def _reranker(rules: RerankSettings) -> Reranker:
    return CrossEncoderFusion(FolderScorer(rules.kind, rules.folder) if rules.folder else MsMarcoMiniLM(), rules)


def _understand(settings: ChatSettings, provider: Provider, extractive: Extractive) -> Understand:
    if settings.rewrite == "history" or provider is extractive:  # which picks sentences and writes none
        return weigh_history
    return RewriteByModel(provider, settings.rewrite_timeout_s, settings.max_question_chars).understand


def _provider(settings: LLMSettings, extractive: Extractive) -> Provider:
    """The provider that the settings name; its libraries are imported only here."""
    if settings.provider == "openai_compatible":
        from app.llm.openai_compatible import OpenAICompatible

        return OpenAICompatible(settings.base_url, settings.model, settings.api_key, settings.timeout_s)
    if settings.provider == "local":
        from app.llm.local import LocalLLM

        return LocalLLM(None, settings.max_tokens)
    return extractive
