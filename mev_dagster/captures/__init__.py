"""Self-contained windows of chain and mempool: format, import, record, verify.

A capture is a folder: `capture.json` and zstd parts (events, blocks, receipts, prestates, codes). It
holds everything that replay, simulation, search and backtests ask for, and nothing else is needed.
"""
