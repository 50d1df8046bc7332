"""The `callsieve` command."""
