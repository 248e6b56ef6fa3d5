-- An account is a row of each table under one key. The guard is written by every attempt and is kept small
-- for that; the vault is written when something is issued or enrolled. Versions are 64 random bits, stored
-- as the signed integer of the same bits.
--
-- Issuer and subject are bytes: compared and ordered the same whatever the database's encoding and collation are, and
-- still so after an upgrade of the system's locales, which can break an index over text.
--
-- Each statement can be run again, for engines that do not take a crash back to before the first one.

-- A guard is replaced by every attempt and no index covers what changes, so that PostgreSQL can put the new one beside
-- the old one (a heap-only tuple) and clear that away by itself, if the page has room: hence the third of it that is
-- left free. What could not be cleared away so, autovacuum does, and sooner than at a fifth of the table.
CREATE TABLE IF NOT EXISTS guard (
    issuer  bytea  NOT NULL,
    subject bytea  NOT NULL,
    version bigint NOT NULL,
    key_id  bigint NOT NULL,
    sealed  bytea  NOT NULL,
    PRIMARY KEY (issuer, subject)
) WITH (fillfactor = 67, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Written less often, and its rows are some hundred bytes.
CREATE TABLE IF NOT EXISTS vault (
    issuer  bytea  NOT NULL,
    subject bytea  NOT NULL,
    version bigint NOT NULL,
    key_id  bigint NOT NULL,
    sealed  bytea  NOT NULL,
    PRIMARY KEY (issuer, subject)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE TABLE IF NOT EXISTS property (
    name  bytea NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);
