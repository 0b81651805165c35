-- Lane against lane over the windows of blocks first to last: a row a lane, one a pair, one for all ('').
-- A sighting counts for the window it came in. What a lane knew already is read back to window `earliest`,
-- so that a transaction that waited for some blocks is neither new nor unseen; what a lane saw only after
-- the block that holds it does not count as seen for that block.
WITH
    by_lane AS (
        SELECT
            tx_hash,
            concat(lane, '/', source) AS of_lane,
            min(toUnixTimestamp64Nano(seen_at)) AS at,
            min(window_number) AS known_from,
            countIf(window_number >= {first:UInt64}) AS sightings
        FROM tx_sightings FINAL
        WHERE window_number BETWEEN {earliest:UInt64} AND {last:UInt64}
        GROUP BY tx_hash, of_lane
    ),
    by_tx AS (
        SELECT
            tx_hash,
            CAST(
                groupArray((of_lane, at, known_from, sightings)),
                'Array(Tuple(lane String, at Int64, known_from UInt64, sightings UInt64))'
            ) AS lanes,
            min(at) AS first_at
        FROM by_lane
        GROUP BY tx_hash
    ),
    landed AS (
        SELECT tx_hash, any(block_number) AS landed_in, any(toUnixTimestamp64Nano(block_time)) AS slot_start
        FROM block_txs FINAL
        WHERE block_number BETWEEN {first:UInt64} AND {last:UInt64}
          AND (block_number, block_hash) IN (
              SELECT block_number, block_hash
              FROM ingest_windows FINAL
              WHERE block_number BETWEEN {first:UInt64} AND {last:UInt64} AND NOT superseded
          )
        GROUP BY tx_hash
    ),
    compared AS (
        SELECT
            tx_hash,
            length(lanes) AS lane_count,
            CAST(
                arrayConcat(
                    [(
                        '', '', first_at, arrayMin(lanes.known_from), arraySum(lanes.sightings), false, 0
                    )],
                    arrayMap(
                        l -> (
                            l.lane, '', l.at, l.known_from, l.sightings,
                            l.sightings > 0 AND l.at = first_at AND countEqual(lanes.at, first_at) = 1, 0
                        ),
                        lanes
                    ),
                    arrayFlatten(arrayMap(
                        a -> arrayMap(
                            b -> (a.lane, b.lane, a.at, a.known_from, a.sightings, a.at < b.at, b.at - a.at),
                            arrayFilter(b -> b.lane != a.lane AND a.sightings + b.sightings > 0, lanes)
                        ),
                        lanes
                    ))
                ),
                'Array(Tuple(
                    lane String, other String, at Int64, known_from UInt64, sightings UInt64, first Bool, lead Int64
                ))'
            ) AS rows
        FROM by_tx
    )
SELECT
    one.lane AS lane,
    one.other AS other,
    sum(one.sightings) AS sightings,
    countIf(one.sightings > 0) AS seen,
    countIf(one.sightings > 0 AND lane_count = 1) AS alone,
    if(other = '', countIf(one.sightings > 0 AND lane_count > 1), count()) AS shared,
    countIf(one.first) AS seen_first,
    quantileExactLow(0.5)(one.lead) AS median_lead_ns,
    arraySort(groupArray(one.lead))[intDiv(count() * 95 + 99, 100)] AS p95_lead_ns,
    countIf(landed_in >= one.known_from AND one.at < slot_start) AS before_slot,
    countIf(landed_in >= one.known_from AND one.at >= slot_start) AS after_slot
FROM compared
LEFT JOIN landed USING tx_hash
ARRAY JOIN compared.rows AS one
GROUP BY lane, other
ORDER BY lane, other
