"""The event log cut into windows between heads and folded into rows, the same however it is driven."""
