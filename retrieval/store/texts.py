"""The texts of stored chunks."""

from collections.abc import Sequence

from retrieval.language import language_of
from retrieval.store.corpus import CorpusStore
from retrieval.store.rows import ChunkRow
from retrieval.types import Chunk

_READ_TOGETHER = 20


class ChunkTexts:
    """Indexed texts of chunks, in any order; asked in that of `rows`, it reads each document once and few together."""

    def __init__(self, store: CorpusStore, rows: Sequence[ChunkRow]) -> None:
        self._store = store
        self._order = list(dict.fromkeys((row.doc_id, row.version) for row in rows))
        self._position = {key: position for position, key in enumerate(self._order)}
        self._texts: dict[tuple[str, str], str] = {}
        self._languages: dict[tuple[str, str], str] = {}

    def indexed(self, row: ChunkRow) -> str:
        """What embedders and the word index see of a chunk."""
        text = self._text(row)[row.start : row.end]
        return Chunk(row.doc_id, row.version, row.start, row.end, text, row.context).indexed_text

    def language(self, row: ChunkRow) -> str:
        """The language of the document that it is of."""
        key = (row.doc_id, row.version)
        if key not in self._languages:
            self._languages[key] = language_of(self._text(row))
        return self._languages[key]

    def _text(self, row: ChunkRow) -> str:
        key = (row.doc_id, row.version)
        if key not in self._texts:
            here = self._position[key]
            self._texts = self._store.texts(self._order[here : here + _READ_TOGETHER])
        return self._texts[key]
