-- What the store holds of a log, by block number: windows, transactions of the blocks, sightings, refusals.
SELECT block_number, windows, txs, sightings, rejects
FROM (
    SELECT block_number, count() AS windows
    FROM ingest_windows FINAL WHERE log_id = {log_id:String} GROUP BY block_number
) AS held
LEFT JOIN (
    SELECT block_number, count() AS txs
    FROM block_txs FINAL WHERE log_id = {log_id:String} GROUP BY block_number
) AS held_txs USING block_number
LEFT JOIN (
    SELECT window_number AS block_number, count() AS sightings
    FROM tx_sightings FINAL WHERE log_id = {log_id:String} GROUP BY block_number
) AS held_sightings USING block_number
LEFT JOIN (
    SELECT window_number AS block_number, count() AS rejects
    FROM tx_rejects FINAL WHERE log_id = {log_id:String} GROUP BY block_number
) AS held_rejects USING block_number
WHERE block_number IN (SELECT block_number FROM blocks WHERE log_id = {log_id:String})
