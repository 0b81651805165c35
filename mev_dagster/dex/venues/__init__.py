"""Venues, one a folder or file: state, exact quotes, events and calldata of a protocol."""
