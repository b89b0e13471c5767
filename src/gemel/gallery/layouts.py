"""The layouts of a schema in PostgreSQL, each a step from the one before.

A step, once released, stays. The table `forms` is no part of them: it is made from the embeddings,
for the metric of the gallery's model.
"""

STEPS: tuple[str, ...] = (
    # 1: identities and their references. The one row of `gallery` is what writers lock: numbers
    # are given from it, so that they rise in the order in which transactions are stored.
    """
    CREATE TABLE gallery (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        layout integer NOT NULL,
        fingerprint text NOT NULL,
        dim integer NOT NULL,
        kind text NOT NULL,
        keeps_originals boolean NOT NULL,
        changes bigint NOT NULL DEFAULT 0,
        removals bigint NOT NULL DEFAULT 0,
        epoch bigint NOT NULL DEFAULT 0,
        last_identity bigint NOT NULL DEFAULT 0,
        last_reference bigint NOT NULL DEFAULT 0,
        identity_count bigint NOT NULL DEFAULT 0,
        reference_count bigint NOT NULL DEFAULT 0
    );
    CREATE TABLE identities (
        id bigint PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE
    );
    CREATE TABLE refs (
        id bigint PRIMARY KEY,
        identity bigint NOT NULL REFERENCES identities (id),
        embedding bytea STORAGE EXTERNAL NOT NULL,
        checksum bigint NOT NULL,
        digest bytea NOT NULL,
        note text,
        enrolled text NOT NULL
    );
    CREATE INDEX refs_by_content ON refs (identity, digest);
    CREATE TABLE originals (
        reference bigint PRIMARY KEY REFERENCES refs (id),
        item bytea STORAGE EXTERNAL NOT NULL,
        thumbnail bytea STORAGE EXTERNAL
    )
    """,
    # 2: how the embeddings are searched in the database, and the bounds of their rounding
    """
    ALTER TABLE gallery
        ADD COLUMN form text,
        ADD COLUMN longest double precision NOT NULL DEFAULT 0,
        ADD COLUMN rounding double precision NOT NULL DEFAULT 0,
        ADD COLUMN beyond_half boolean NOT NULL DEFAULT false
    """,
    # 3: in what bytes embeddings are kept
    """
    ALTER TABLE gallery ADD COLUMN coding text NOT NULL DEFAULT 'float32'
    """,
)
"""Layout n is what steps 1 to n make; `gallery.layout` holds n."""
