"""The texts of stored chunks."""

from retrieval.language import language_of
from retrieval.store.corpus import CorpusStore
from retrieval.store.rows import ChunkRow
from retrieval.types import Chunk


class ChunkTexts:
    """Indexed texts of chunks, reading each document once while its chunks come in a row."""

    def __init__(self, store: CorpusStore) -> None:
        self._store = store
        self._key = ("", "")
        self._text = self._language = ""

    def indexed(self, row: ChunkRow) -> str:
        """What embedders and the word index see of a chunk."""
        self._read(row)
        text = self._text[row.start : row.end]
        return Chunk(row.doc_id, row.version, row.start, row.end, text, row.context).indexed_text

    def language(self, row: ChunkRow) -> str:
        """The language of the document that it is of."""
        self._read(row)
        if not self._language:
            self._language = language_of(self._text)
        return self._language

    def _read(self, row: ChunkRow) -> None:
        if (row.doc_id, row.version) != self._key:
            self._key = (row.doc_id, row.version)
            self._text, self._language = self._store.text(*self._key), ""
