"""From a store to published snapshots: sources, number normalisation, publishing."""
