"""Candidate against the release in production: PASS, FAIL, INCONCLUSIVE or UNMEASURABLE."""
