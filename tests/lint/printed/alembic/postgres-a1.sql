BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> a1

CREATE TABLE author (
    id SERIAL NOT NULL, 
    name VARCHAR(100) NOT NULL, 
    PRIMARY KEY (id)
);

ALTER TABLE book ADD COLUMN subtitle VARCHAR(200);

ALTER TABLE book ADD COLUMN stock INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE book ADD COLUMN made TIMESTAMP WITH TIME ZONE DEFAULT now();

INSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING alembic_version.version_num;

COMMIT;

