"""The embedded store: chDB behind ClickHouse's HTTP interface on loopback."""
