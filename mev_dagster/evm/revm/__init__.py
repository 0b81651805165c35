"""The fast engine: the optional native wheel over revm, and the wire between it and Python."""
