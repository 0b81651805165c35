-- Alerts about blocks of a range, or that began in the window.
SELECT name, source, summary, action, toUnixTimestamp64Nano(starts_at) AS starts_ns
FROM alerts FINAL
WHERE (starts_at >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
  AND starts_at < fromUnixTimestamp64Nano({end:Int64}, 'UTC'))
   OR arrayExists(number -> number >= {first:UInt64} AND number <= {last:UInt64}, block_numbers)
ORDER BY starts_at, name
LIMIT 100
