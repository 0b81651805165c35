"""The builder's side of a relay: what may be contacted, how often it is tried, and what was answered."""
