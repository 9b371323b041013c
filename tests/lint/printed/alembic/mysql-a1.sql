CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> a1

CREATE TABLE author (
    id INTEGER NOT NULL AUTO_INCREMENT, 
    name VARCHAR(100) NOT NULL, 
    PRIMARY KEY (id)
);

ALTER TABLE book ADD COLUMN subtitle VARCHAR(200);

ALTER TABLE book ADD COLUMN stock INTEGER NOT NULL DEFAULT '0';

ALTER TABLE book ADD COLUMN made DATETIME DEFAULT (now());

INSERT INTO alembic_version (version_num) VALUES ('a1');

