"""What is kept for clients beside turns: conversations and cached answers. Erasures and retention reach both."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from app.store.cache import CacheStore
from app.store.conversations import ConversationStore

Places = Collection[tuple[str, str, str]]
Tells = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Kept:
    """The stores of both."""

    conversations: ConversationStore
    cache: CacheStore

    @property
    def holds_any(self) -> bool:
        """Whether there is anything."""
        return bool(self.conversations.count() or self.cache.size()[0])

    def count(self, places: Places, tells: Tells) -> Counter[str]:
        """What an erasure would take: the conversations that cite or tell of it, and the whole cache.

        Cached answers can be had again, so nobody has to find out which of them tell of it.
        """
        found = {"conversations": len(self.conversations.find(places, tells)), "cached answers": self.cache.size()[0]}
        return +Counter(found)

    def erase(self, places: Places, tells: Tells) -> Counter[str]:
        """Take it. Returns the rows by kind."""
        gone = {
            "conversations": self.conversations.erase(self.conversations.find(places, tells)),
            "cached answers": self.cache.clear(),
        }
        return +Counter(gone)

    def older(self, unused_since: datetime, cached_before: datetime) -> Counter[str]:
        """What is over its time, by kind."""
        found = {
            "conversations": len(self.conversations.unused_since(unused_since)),
            "cached answers": self.cache.size(cached_before)[0],
        }
        return +Counter(found)

    def erase_older(self, unused_since: datetime, cached_before: datetime) -> Counter[str]:
        """Remove it. Returns the rows by kind."""
        gone = {
            "conversations": self.conversations.erase(self.conversations.unused_since(unused_since)),
            "cached answers": self.cache.clear(cached_before),
        }
        return +Counter(gone)
