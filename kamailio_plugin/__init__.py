"""Kamailio shell: the KEMI adapter (not built yet)."""
