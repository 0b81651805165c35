"""Proposer-builder separation, dry: block templates, bids, SSZ, BLS, the relay client and the sandbox relay.

Nothing here can reach a public relay: signatures are made under a domain no public network uses, and the
transport refuses every address that is not this machine's loopback.
"""
