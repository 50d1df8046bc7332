"""Packed numbers, the snapshot of a number list, and the catalog of generations."""
