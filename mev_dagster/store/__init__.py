"""The store: one ClickHouse schema, embedded in this machine or on a server, with the same code.

`tables.py` reads the `.sql` files under `schema/` into the one schema module; everything that needs to
know a table (inserts, frames, views, Dagster column schemas and checks) asks it. `client.py` hands out
`open_store(settings)`. `server.py` is the process that owns the embedded engine and speaks ClickHouse's
HTTP interface on loopback. `log_writer.py` stores an event log's rows; `retention.py` lets old days go.
"""
