"""The statistics that the gate stands on."""
