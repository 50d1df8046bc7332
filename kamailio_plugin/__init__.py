"""Kamailio shell: screens requests inside Kamailio's workers, through app_python3 (KEMI)."""
