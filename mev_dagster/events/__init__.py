"""The canonical events, the append-only hash-chained log they are kept in, and the windows cut from it."""
