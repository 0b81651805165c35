"""The user's execution nodes: JSON-RPC over HTTP and WebSocket."""
