"""One block's run over stored inputs: look, propose, recheck, build, submit, label, score."""
