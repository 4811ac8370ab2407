"""Cases through the pipeline that serves, and their records on disk."""
