"""devp2p: a mempool peer. Sans-IO cores below, a thin asyncio shell on top.

Cores (bytes and times in, values and bytes out; no socket, no clock, no randomness of their own):

`keys`       secp256k1 identities                `ecies`, `handshake`  the RLPx v4 handshake (EIP-8)
`frames`     encrypted, authenticated frames     `rlpx`       both joined: bytes in, frames out
`snappy`     decompression that cannot explode   `hello`      the p2p capability: Hello, Disconnect
`eth`        messages of eth/68 to eth/72        `session`    bytes in, events out: one peer's conversation
`forkid`     EIP-2124 from fork tables           `networks`   those tables with their genesis
`enr`, `enode`, `discv4`, `table`, `dnslist`     who else is out there
`fetcher`    which peer is asked for which hash, and when

Shell: `transport` and `scheduler` (sockets, fair turns), `network` (peers, dials, limits), `maintenance`
(whom to dial), `peerbook` (what is known of whom), `mempool` (the listener), `gateway` (a serving peer).
"""
