"""Error review: labels, notes and fixes, on record; production turns that become cases."""
