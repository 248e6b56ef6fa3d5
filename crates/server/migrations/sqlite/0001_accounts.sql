-- An account is a row of each table under one key. The guard is written by every attempt and is kept small
-- for that; the vault is written when something is issued or enrolled. Versions are 64 random bits, stored
-- as the signed integer of the same bits. Text compares by bytes (the default collation, BINARY).

CREATE TABLE guard (
    issuer  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    version INTEGER NOT NULL,
    key_id  INTEGER NOT NULL,
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- With a rowid, unlike the guard: its rows are hundreds of bytes, which would make a poor index of themselves.
CREATE TABLE vault (
    issuer  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    version INTEGER NOT NULL,
    key_id  INTEGER NOT NULL,
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;

CREATE TABLE property (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
