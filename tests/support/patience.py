"""How long tests wait for what must happen: only what hangs is waited for so long."""

PATIENCE_SECONDS = 60
"""On two busy processors a process can take tens of seconds to start."""
