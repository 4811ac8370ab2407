"""The commands of `assay`, one file per subject. Each adds itself to the command line by `add_to`."""
