"""The eth capability, versions 68 to 72: message values, and one table that says who speaks what.

`messages` values   `codec` the table, keyed by version   `announcements`, `pooled` the two hot decoders
"""
