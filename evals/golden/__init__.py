"""Golden sets: reading, checking, splitting, and the ledger of the locked test split."""
