-- Which schema files were applied to this database, and in which form.
CREATE TABLE IF NOT EXISTS schema_migrations
(
    name String COMMENT 'table, or numbered migration',
    checksum FixedString(32) COMMENT 'SHA-256 of the file that was applied',
    applied_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when it was applied, volatile'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY name
