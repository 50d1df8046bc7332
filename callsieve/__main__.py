"""`python -m callsieve`."""

from callsieve.cli import main

main(prog_name="callsieve")
