-- First event of the oldest of the windows that decide what was pending at this head.
SELECT min(first_seq)
FROM (
    SELECT first_seq
    FROM ingest_windows FINAL
    WHERE log_id = {log_id:String} AND seq <= {seq:Int64}
    ORDER BY seq DESC
    LIMIT {windows:UInt32}
)
HAVING count() = {windows:UInt32}
