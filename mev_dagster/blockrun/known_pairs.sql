-- Pairs that earlier blocks have shown: a block searched again later starts from what it started from.
SELECT pool
FROM pools FINAL
WHERE first_block_number < {number:UInt64}
ORDER BY pool
