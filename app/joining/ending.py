"""What takes things out again: on request, and by policy."""

from app.erasure import Forget
from app.intents import Intents
from app.receipts import Receipts
from app.retention import Retention, lasting
from app.settings import Settings
from app.signing import Keys
from app.store.erasure import RemovalStores
from retrieval.erasure import Eraser
from retrieval.ingest import Ingestor
from retrieval.retention import SnapshotRetention


def ending(settings: Settings, ingestor: Ingestor, stores: RemovalStores, keys: Keys) -> tuple[Forget, Retention]:
    """Join both over the stores of one home."""
    home = settings.home
    eraser = Eraser(ingestor.store, stores.erasures, ingestor.publisher, ingestor.gate, ingestor.locks)
    forget = Forget(
        home=home,
        eraser=eraser,
        tombstones=stores.tombstones,
        turns=stores.turns,
        kept=stores.kept,
        database=stores.database,
        intents=Intents(home / "erasures", keys),
        receipts=Receipts(home / "receipts", keys),
    )
    snapshots = SnapshotRetention(eraser)
    kept = stores.kept
    return forget, Retention(settings.retention, snapshots, stores.turns, kept, lasting(settings), stores.database)
