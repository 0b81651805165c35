-- Blocks of a range that have a window, and whether a backfill has nothing left to do for them. Backtests
-- come last of what a past block gets: a run that was killed behind its opportunities is not done.
SELECT block_number, max(
    (block_number, block_hash) IN (SELECT block_number, block_hash FROM block_runs FINAL)
    AND block_number IN (
        SELECT first_block_number FROM backtests FINAL
        WHERE first_block_number = last_block_number AND source = 'block'
          AND first_block_number BETWEEN {first:UInt64} AND {last:UInt64}
    )
)
FROM ingest_windows FINAL
WHERE NOT superseded AND block_number BETWEEN {first:UInt64} AND {last:UInt64}
GROUP BY block_number
ORDER BY block_number
