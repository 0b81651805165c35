"""What Ethereum says: transactions of types 0-4, headers, blocks, receipts, RLP, tries, fork schedules.

Pure functions over frozen values; no I/O, no clock. Everything above imports from here.
"""
