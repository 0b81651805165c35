"""The user's execution nodes, over HTTP, WebSocket and an IPC socket.

`control` asks what a node is and how it is (web3.py, all three transports); `http` fetches state in batches;
`websocket` holds the hot subscription.
"""
