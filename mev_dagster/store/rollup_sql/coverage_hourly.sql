SELECT
    lane,
    other,
    uniqExact(first_block_number) AS blocks,
    sum(seen) AS seen,
    sum(exclusive) AS exclusive,
    sum(included) AS included,
    sum(shared) AS shared,
    sum(seen_first) AS seen_first,
    quantileExactOrNull(0.5)(median_ms) AS median_ms,
    sum(before_slot) AS before_slot,
    sum(after_slot) AS after_slot,
    sum(never_seen) AS never_seen,
    max(coverage.synthetic) AS synthetic
FROM coverage FINAL
WHERE window_end >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
  AND window_end < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
  AND first_block_number = last_block_number
GROUP BY lane, other
ORDER BY lane, other
