"""The steps of `mev demo`, one file for each part of the house; each calls its rooms and returns figures."""
