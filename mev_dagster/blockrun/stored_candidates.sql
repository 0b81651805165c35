-- A block's candidates, best first, each with its plan; an empty plan where none is stored.
SELECT
    o.opportunity_id AS opportunity_id,
    o.rank AS rank,
    o.kind AS kind,
    o.strategy AS strategy,
    o.venues AS venues,
    o.tokens AS tokens,
    o.size_wei AS size_wei,
    o.expected_profit_wei AS expected_profit_wei,
    o.simulated_profit_wei AS simulated_profit_wei,
    o.verified AS verified,
    JSONExtractString(o.detail, 'reason') AS reason,
    p.plan AS plan
FROM (SELECT * FROM opportunities FINAL WHERE block_number = {number:UInt64}) AS o
LEFT JOIN (SELECT opportunity_id, plan FROM plans FINAL WHERE block_number = {number:UInt64}) AS p
    ON p.opportunity_id = o.opportunity_id
ORDER BY o.rank
