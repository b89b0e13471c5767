"""The layouts of the SQLite file, each a step from the one before. A step, once released, stays."""

APPLICATION_ID = 0x47454D4C  # "GEML"

STEPS: tuple[str, ...] = (
    # 1: identities and their references
    """
    CREATE TABLE facts (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO counters VALUES ('changes', 0), ('removals', 0), ('epoch', 0);
    CREATE TABLE identities (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE refs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        identity INTEGER NOT NULL REFERENCES identities (id),
        embedding BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        digest BLOB NOT NULL,
        note TEXT,
        enrolled TEXT NOT NULL
    );
    CREATE INDEX refs_by_content ON refs (identity, digest);
    """,
    # 2: the items themselves, where the gallery keeps them
    """
    CREATE TABLE originals (
        reference INTEGER PRIMARY KEY REFERENCES refs (id),
        item BLOB NOT NULL,
        thumbnail BLOB
    );
    INSERT INTO facts VALUES ('keeps_originals', 'no');
    """,
    # 3: in what bytes embeddings are kept
    """
    INSERT INTO facts VALUES ('coding', 'float32');
    """,
)
"""Layout n is what steps 1 to n make; PRAGMA user_version holds n."""
