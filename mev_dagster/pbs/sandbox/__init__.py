"""The sandbox relay: decodes, checks and re-executes submissions, and answers as public relays do.

It is judged against by the same rules (order, status codes, texts of mev-boost-relay), verifies real BLS
signatures under the sandbox's domain, and executes blocks on the state it was given. Nothing leaves it.
"""
