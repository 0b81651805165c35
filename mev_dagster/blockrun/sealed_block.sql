-- The blocks built in a landed block's place: their templates' rows, and whole.
SELECT
    t.block_hash AS block_hash,
    t.opportunity_ids AS opportunity_ids,
    s.fork AS fork,
    s.submission AS submission,
    s.trace_id AS trace_id,
    s.span_id AS span_id,
    s.relays AS relays
FROM (SELECT block_hash, opportunity_ids FROM block_templates FINAL WHERE block_number = {number:UInt64}) AS t
INNER JOIN
(
    SELECT block_hash, fork, submission, trace_id, span_id, relays
    FROM sealed_blocks FINAL
    WHERE block_number = {number:UInt64} AND landed_hash = unhex({landed:String})
) AS s ON s.block_hash = t.block_hash
