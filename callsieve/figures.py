"""Where all processes that answer calls keep their figures, for one /metrics to add up."""

FIGURES = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the directory; prometheus_client knows it by that name."""
