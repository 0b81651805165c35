"""Ex-ante against ex-post: which landed opportunities the search had found, and what they were worth.

An opportunity is a price gap, not one way to close it: several candidates may be ways to take the same one.
A candidate that nobody took counts as a false positive, although it may have been there.
"""
