-- What the newest runs found worth most, the best of each block first.
SELECT block_number, rank, kind, expected_profit_wei, simulated_profit_wei, verified
FROM opportunities FINAL
ORDER BY block_number DESC, rank
LIMIT 8
