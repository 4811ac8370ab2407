"""Takes documents out of every snapshot, version, chunk, vector and index, while the rest serves on."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from retrieval.contract.gate import Gate
from retrieval.contract.model import DEFAULT, Contract
from retrieval.errors import ContractInvalid, DocumentNotFound
from retrieval.folding import fold, readings
from retrieval.ids import digest
from retrieval.publish import Publisher, silent
from retrieval.store.corpus import CorpusStore
from retrieval.store.erasure import ErasureStore, Held, Key
from retrieval.store.failures import storage_failures
from retrieval.store.locks import CorpusLocks
from retrieval.store.statements import batches
from retrieval.traces import Traces

MAX_VECTORS = 10_000
"""Erased vectors that are looked for afterwards, byte by byte."""


@dataclass(frozen=True, slots=True)
class Named:
    """What an erasure is asked for: one document by id or uri, or whatever contains a subject; in which corpora."""

    document: str = ""
    subject: str = ""
    corpora: tuple[str, ...] = ()
    """Empty: all of them."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that the room holds of what is to go."""

    versions: tuple[Held, ...]
    places: tuple[tuple[str, str, str], ...]
    """(corpus, snapshot, doc_id) of each place in a snapshot."""
    quarantined: tuple[tuple[str, str], ...]
    """(corpus, uri)."""
    doc_ids: tuple[str, ...]
    chunks: int
    hashes: tuple[str, ...]
    """Under which vectors go: texts that nothing else has."""
    vectors: tuple[bytes, ...]
    copies: tuple[str, ...]
    """Uris of documents with the same bytes that are not asked for and stay."""

    @property
    def keys(self) -> frozenset[Key]:
        """The versions that go."""
        return frozenset(held.key for held in self.versions)


@dataclass(frozen=True, slots=True)
class Eraser:
    """Finds and erases. `locked` must be held while both happen."""

    store: CorpusStore
    erasures: ErasureStore
    publisher: Publisher
    gate: Gate
    locks: CorpusLocks

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every ingest out of all corpora: they share vectors.

        Raises:
            IngestRunning: One is running.
        """
        with storage_failures(), ExitStack() as held:
            for corpus in self.erasures.corpora():
                held.enter_context(self.locks.hold(corpus))
            yield

    def find(self, named: Named) -> tuple[Holdings, Traces]:
        """What there is of it, and by what traces it can be told afterwards. Reads every stored text twice.

        Raises:
            DocumentNotFound: A document is named that no corpus holds.
        """
        versions, quarantined = self._versions(named), self._quarantined(named)
        keys = {held.key for held in versions}
        if named.document and not versions and not quarantined:
            raise DocumentNotFound(f"No document '{named.document}' is stored or quarantined.")
        names = _telling_names(versions, quarantined) if named.document else set()
        traces, copies = self.traces(versions, [named.subject, *names], keep=named.subject)
        hashes = self.own_hashes(keys)
        vectors = [vector for vector, _ in zip(self.erasures.vectors(hashes), range(MAX_VECTORS), strict=False)]
        places = {(p.corpus, p.snapshot, p.doc_id) for p in self.erasures.places() if (p.doc_id, p.version) in keys}
        doc_ids = {held.doc_id for held in versions} | {digest(f"{c}\0{uri}") for c, uri in quarantined}
        holdings = Holdings(
            versions=tuple(versions),
            places=tuple(sorted(places)),
            quarantined=tuple(sorted(quarantined)),
            doc_ids=tuple(sorted(doc_ids)),
            chunks=self.erasures.chunk_count(keys),
            hashes=tuple(hashes),
            vectors=tuple(vectors),
            copies=tuple(copies),
        )
        return holdings, traces

    def erase(self, holdings: Holdings, traces: Traces, receipt: str) -> Counter[str]:
        """Erase what was found; what serves is replaced by a snapshot without it first. May be repeated.

        Returns:
            Rows by kind.
        """
        keys = holdings.keys
        places = {(p.corpus, p.snapshot) for p in self.erasures.places() if (p.doc_id, p.version) in keys}
        places |= {(corpus, snapshot) for corpus, snapshot, _ in holdings.places}
        done: Counter[str] = Counter()
        for corpus in sorted({corpus for corpus, _ in places}):
            done["republished"] += self._serve_without(corpus, keys)
        # Indexes go before the rows that they were made of: an index is never more than its snapshot.
        for corpus in self.erasures.corpora():
            gone = {snapshot for name, snapshot in places if name == corpus}
            known = [name for name in self.store.newest(corpus, 10_000) if self.publisher.indexes.holds(corpus, name)]
            done["indexes"] += len(gone & set(known))
            self.publisher.indexes.keep_only(corpus, [name for name in known if name not in gone])
        done += self.erasures.erase(keys, holdings.hashes, receipt)
        done["quarantine"] += self.erasures.drop_quarantined(holdings.quarantined)
        done += self.erasures.redact(traces.in_text)
        return done

    def _versions(self, named: Named) -> list[Held]:
        subject = fold(named.subject)
        labelled = set()
        if subject:
            for place in self.erasures.places():
                if (not named.corpora or place.corpus in named.corpora) and _says(subject, place.labels):
                    labelled.add((place.doc_id, place.version))
        found = []
        for held in self.erasures.versions():
            if named.corpora and not any(digest(f"{name}\0{held.uri}") == held.doc_id for name in named.corpora):
                continue
            if subject:
                asked = held.key in labelled or _says(subject, held.uri, held.title, held.text, held.further)
            else:
                asked = named.document in (held.doc_id, held.uri)
            if asked:
                found.append(held)
        return found

    def _quarantined(self, named: Named) -> list[tuple[str, str]]:
        subject = fold(named.subject)
        found = []
        for corpus, uri, detail in self.erasures.quarantined():
            if named.corpora and corpus not in named.corpora:
                continue
            asked = named.document in (uri, digest(f"{corpus}\0{uri}"))
            if _says(subject, uri, detail) if subject else asked:
                found.append((corpus, uri))
        return found

    def own_hashes(self, keys: Collection[Key]) -> list[str]:
        """Under which vectors of these versions are kept that no other version needs."""
        chunkers = self.erasures.chunkers()
        left = self.publisher.text_hashes(sorted(keys), chunkers)
        # What a window reads is in no table: those of every version that stays are made again.
        for batch in batches(sorted(set(self.erasures.keys()) - set(keys))):
            if not left:
                break
            left -= self.publisher.text_hashes(batch, chunkers)
        return sorted(left)

    def traces(self, versions: Sequence[Held], words: Collection[str], keep: str = "") -> tuple[Traces, list[str]]:
        """By what versions can be told: their texts and some words, less what other texts that stay have too.

        Args:
            versions: Those that go.
            words: Names of them, and the word that counts whatever stays.
            keep: That word.

        Returns:
            The traces, and the uris of versions of the same bytes that stay.
        """
        traces = Traces(words, [held.text for held in versions])
        keys, bytes_of = {held.key for held in versions}, {held.sha256 for held in versions}
        copies = set()
        names = {word for word in traces.words if word != fold(keep)}
        for held in self.erasures.versions():
            if held.key in keys:
                continue
            traces.share(held.text)
            if held.sha256 in bytes_of:
                copies.add(held.uri)
            if names:
                said = fold(f"{held.uri}\n{held.title}\n{held.text}")
                names -= {name for name in names if name in said}
        traces.words = sorted({*names, *({fold(keep)} - {""})})
        return traces, sorted(copies)

    def _serve_without(self, corpus: str, keys: Collection[Key]) -> int:
        """Switch a corpus to a snapshot without these versions. Returns 1 where it served one of them."""
        for active in self.publisher.active(corpus):
            members = self.store.members(corpus, active)
            kept = [member for member in members if (member.doc_id, member.version) not in keys]
            if len(kept) < len(members):
                self.publisher.publish(corpus, kept, self._contract(corpus), silent)
                return 1
        return 0

    def _contract(self, corpus: str) -> Contract:
        """The contract that the switch is recorded under; it cannot stop an erasure."""
        try:
            return self.gate.contract(corpus)
        except ContractInvalid:
            return DEFAULT


def _says(subject: str, *texts: str) -> bool:
    return any(subject in reading for text in texts for reading in readings(text))


def _telling_names(versions: Sequence[Held], quarantined: Sequence[tuple[str, str]]) -> set[str]:
    """Uris and titles that say something of their own: long enough not to be a word of any text."""
    uris = {held.uri for held in versions} | {uri for _, uri in quarantined}
    titles = {held.title for held in versions if len(held.title) >= 16 and " " in held.title}
    return titles | {uri for uri in uris if len(uri) >= 8}
