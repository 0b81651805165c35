"""Reports: what a window of time came to, as one self-contained HTML page under `home/reports`.

report = hour_report(store, window)       # figures, from the store alone
write_page(settings, report)              # the page, with links to runs, partitions and traces
page_of_block(settings, time_ns, number)  # where a block's part of the page is
"""
