"""What the doors that serve ask: the pipeline, with the cache, one turn for equal questions, and conversations around.

Evaluations ask the pipeline itself: what was said before is no measurement.
"""

from dataclasses import dataclass
from datetime import timedelta

from app.answering import Answers
from app.basis import Conversing
from app.bootstrap import Services
from app.caching.cached import Cached
from app.caching.entries import read
from app.caching.learned import Learned, learned_for
from app.coalescing import Coalesced
from app.conversations import Conversations
from app.releases import describe
from app.settings import CacheSettings
from app.store.cache import CacheBounds, CacheStore
from app.store.records import answer_sha256
from app.store.turns import TurnStore
from guardrails.checks.pii import PiiPatterns


@dataclass(frozen=True, slots=True)
class Serving:
    """Answers for clients, and the conversations that are kept for them."""

    answers: Answers
    conversations: Conversations
    turns: TurnStore
    cache: CacheStore
    keeps: bool
    """Whether answers or conversations are kept."""

    def warm_up(self) -> None:
        """Load what looks for personal data, where something is kept, so that no answer waits for it."""
        if self.keeps:
            self.conversations.patterns.find("warm up")

    def rated_down(self, turn_id: str) -> None:
        """Do not give again what somebody called a bad answer."""
        said = self.turns.recorded(turn_id).answer_sha256
        self.cache.drop_where(lambda entry: answer_sha256(read(entry).answer) == said)


def serving(services: Services) -> Serving:
    """Join it, from outside in: conversation, one turn for equal questions, cache, pipeline.

    Raises:
        ConfigError: The semantic cache is wanted and nothing was learned for the embedder.
    """
    settings, pipeline = services.settings, services.pipeline
    patterns = PiiPatterns(settings.pii)
    answers: Answers = pipeline
    if settings.cache.mode != "off":
        answers = Cached(
            inner=pipeline,
            pipeline=pipeline,
            store=services.stores.kept.cache,
            corpora=services.corpora,
            seal=services.turns.seal,
            bounds=_bounds(settings.cache),
            policy=lambda: f"{describe(pipeline, settings).id} {patterns.fingerprint}",
            personal=lambda text: bool(patterns.find(text)),
            learned=_learned(services),
        )
    if settings.chat.coalesce:
        answers = Coalesced(answers, services.corpora.active)
    tokens = settings.chat.history_tokens
    return Serving(
        answers=Conversing(answers, pipeline, services.corpora, services.reader, tokens),
        conversations=Conversations(services.stores.kept.conversations, patterns, settings.chat),
        turns=services.turns,
        cache=services.stores.kept.cache,
        keeps=settings.cache.mode != "off" or settings.chat.keep_conversations,
    )


def _bounds(rules: CacheSettings) -> CacheBounds:
    return CacheBounds(rules.max_entries, rules.max_bytes, timedelta(hours=rules.max_age_h))


def _learned(services: Services) -> Learned | None:
    rules = services.settings.cache
    if rules.mode != "semantic":
        return None
    return learned_for(services.retriever.embedders[0].fingerprint, rules.learned)
