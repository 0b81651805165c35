"""One block's run over stored inputs: look, propose, recheck, build, submit, label, score.

`decide`, `build_blocks`, `hand_over`, `label_landed` and `score` are the run's steps as functions of what
they are given; `mev search`, `mev backtest`, `mev relay submit` and replays call them. `BlockRun` and
`steps` are the same over the log and the store: each step reads what earlier ones stored and writes its
rows behind the block's fence, and so can run alone, later, in another process.
"""
