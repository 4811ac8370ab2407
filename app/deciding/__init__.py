"""To answer, to answer partly, to ask back, or to say no."""
