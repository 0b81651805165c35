"""The log run through the same path again: is what the live path stored what the log says?

`run` folds a log into windows with their digests; `against` compares them with a store, row by row;
`search` does the same for features and ranking where the state of the blocks is at hand.
"""
