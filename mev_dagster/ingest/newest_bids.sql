-- What was offered to relays last, and how it went.
SELECT block_number, relay, accepted, error_class, value_wei
FROM relay_submissions FINAL
ORDER BY block_number DESC, relay, attempt DESC
LIMIT 8
