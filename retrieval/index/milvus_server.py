"""A client of a Milvus server: its calls, and its failures as one error."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymilvus import MilvusClient, MilvusException

from retrieval.errors import StoreUnavailable
from retrieval.index.milvus_rows import meta_schema

CATALOGUE = "assay_indexes"
EXACT = "FLAT"
_NOT_FOUND = 100
_ADVICE = "Check retrieval.index.url, its token, and whether the server runs."
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs what it raises, with addresses


class CollectionMissing(StoreUnavailable):
    """The server has no collection of this name: where nobody expects that, it is as good as not there."""


class Server:
    """One client, and its failures as one error that holds neither address nor token."""

    def __init__(self, uri: str, token: str, timeout_s: float) -> None:
        self._uri, self._token, self._timeout_s = uri, token, timeout_s
        self._client: MilvusClient | None = None
        self._lock = threading.Lock()
        self._made: set[str] = set()

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def ask(self, call: str, **values: Any) -> Any:
        """Call a method of the client."""
        try:
            return getattr(self._connected(), call)(timeout=self._timeout_s, **values)
        except MilvusException as error:
            if error.code == _NOT_FOUND or "collection not found" in str(error.message):
                raise CollectionMissing(f"Milvus lacks a collection. {_ADVICE}") from None
            raise StoreUnavailable(f"Milvus refused or could not be reached (code {error.code}). {_ADVICE}") from None
        except (OSError, ConnectionError, ValueError) as error:
            raise StoreUnavailable(f"Milvus could not be reached: {type(error).__name__}. {_ADVICE}") from None

    def create(self, name: str, schema: Any, field: str, index: str) -> None:
        """Make a collection with one index, by inner product; what is written is seen by whoever asks next."""
        params = MilvusClient.prepare_index_params()
        params.add_index(field, index_type=index, metric_type="IP")
        self.ask(
            "create_collection", collection_name=name, schema=schema, index_params=params, consistency_level="Strong"
        )

    def create_once(self, name: str) -> None:
        """Make the catalogue where it is missing; of several processes that try, one does."""
        if name in self._made:
            return
        if not self.ask("has_collection", collection_name=name):
            try:
                self.create(name, meta_schema(catalogue=True), "none", EXACT)
            except StoreUnavailable:
                if not self.ask("has_collection", collection_name=name):
                    raise
        self._made.add(name)

    def insert(self, name: str, batches: Any) -> None:
        """Insert rows, batch by batch."""
        for batch in batches:
            self.ask("insert", collection_name=name, data=batch)

    def every(self, name: str, fields: Sequence[str]) -> list[dict[str, Any]]:
        """All rows of a small collection, page by page."""
        self.create_once(CATALOGUE)
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask(
                "query", collection_name=name, filter="", output_fields=list(fields), limit=1_000, offset=len(found)
            )
            found += page
            if len(page) < 1_000:
                return found

    def _connected(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                if "://" not in self._uri:
                    Path(self._uri).parent.mkdir(parents=True, exist_ok=True)
                self._client = MilvusClient(uri=self._uri, token=self._token, timeout=self._timeout_s)
            return self._client
