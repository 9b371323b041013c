BEGIN;

-- Running upgrade a2 -> a3

COMMIT;

CREATE INDEX CONCURRENTLY ix_book_isbn ON book (isbn);

BEGIN;

UPDATE alembic_version SET version_num='a3' WHERE alembic_version.version_num = 'a2';

COMMIT;

