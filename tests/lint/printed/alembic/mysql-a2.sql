-- Running upgrade a1 -> a2

ALTER TABLE book ADD COLUMN price INTEGER NOT NULL;

CREATE INDEX ix_book_title ON book (title);

ALTER TABLE book ADD CONSTRAINT fk_book_author FOREIGN KEY(author_id) REFERENCES author (id);

ALTER TABLE book ADD CONSTRAINT uq_book_isbn UNIQUE (isbn);

ALTER TABLE book MODIFY pages INTEGER NOT NULL;

ALTER TABLE book MODIFY pages BIGINT NOT NULL;

ALTER TABLE book CHANGE title name VARCHAR(200) NULL;

ALTER TABLE book DROP COLUMN subtitle;

ALTER TABLE author RENAME TO writer;

DROP TABLE review;

UPDATE alembic_version SET version_num='a2' WHERE alembic_version.version_num = 'a1';

