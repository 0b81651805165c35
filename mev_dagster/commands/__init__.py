"""One file per `mev` command: parse flags, call a room, print.

`--json` prints exactly one JSON document on stdout (`print_json`); everything else goes to stderr.
"""
