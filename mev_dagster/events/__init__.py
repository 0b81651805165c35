"""The canonical events, the append-only hash-chained log they are kept in, and the windows cut from it.

`types` has the events, `codec` their binary form, `log` the writer (`EventLogWriter`), the reader
(`EventLogReader`) and `verify`, `batch` events as columns, `windows` what lies between two heads.
"""
