"""What the retrieval room keeps in the database."""
