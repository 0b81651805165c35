-- What became of each block of a window: its run, what was found, bid and answered, and what landed.
SELECT
    runs.block_number AS block_number,
    runs.time_ns AS time_ns,
    runs.block_hash AS block_hash,
    runs.run_id AS run_id,
    runs.live AS live,
    runs.lag_ns AS lag_ns,
    runs.pending_txs AS pending_txs,
    runs.candidates AS candidates,
    runs.verified AS verified,
    ifNull(found.best_wei, toInt256(0)) AS best_wei,
    templates.trace_id AS trace_id,
    templates.bid_wei AS bid_wei,
    templates.sealed AS sealed,
    submissions.accepted AS accepted,
    labels.landed AS landed,
    scores.hits AS hits,
    scores.misses AS misses
FROM
(
    SELECT
        block_number, block_hash, run_id, live, pending_txs, candidates, verified,
        toUnixTimestamp64Nano(block_time) AS time_ns,
        toUnixTimestamp64Nano(finished_at) - toUnixTimestamp64Nano(seen_at) AS lag_ns
    FROM block_runs FINAL
    WHERE block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
      AND block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
) AS runs
LEFT JOIN
(
    SELECT block_number, max(simulated_profit_wei) AS best_wei
    FROM opportunities FINAL
    WHERE verified
      AND block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
      AND block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
    GROUP BY block_number
) AS found ON found.block_number = runs.block_number
LEFT JOIN
(
    SELECT block_number, lower(hex(any(block_templates.trace_id))) AS trace_id, max(value_wei) AS bid_wei, count() AS sealed
    FROM block_templates FINAL
    WHERE block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
      AND block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
    GROUP BY block_number
) AS templates ON templates.block_number = runs.block_number
LEFT JOIN
(
    SELECT block_number, max(relay_submissions.accepted) AS accepted
    FROM relay_submissions FINAL
    WHERE block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
      AND block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
    GROUP BY block_number
) AS submissions ON submissions.block_number = runs.block_number
LEFT JOIN
(
    SELECT block_number, countIf(kind != 'swap') AS landed
    FROM mev_labels FINAL
    WHERE block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
      AND block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
    GROUP BY block_number
) AS labels ON labels.block_number = runs.block_number
LEFT JOIN
(
    SELECT first_block_number AS block_number, max(true_positives) AS hits, max(false_negatives) AS misses
    FROM backtests FINAL
    WHERE first_block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
      AND first_block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
      AND first_block_number = last_block_number AND source = 'block' AND kind = 'all'
    GROUP BY block_number
) AS scores ON scores.block_number = runs.block_number
ORDER BY block_number, block_hash
LIMIT {limit:UInt32}
