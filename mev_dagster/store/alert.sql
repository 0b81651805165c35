-- One open alert as it is stored.
SELECT name, source, labels, summary, starts_at, received_at, block_numbers, action
FROM alerts FINAL
WHERE alert_id = unhex({alert:String}) AND resolved_at IS NULL
