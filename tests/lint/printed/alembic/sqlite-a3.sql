-- Running upgrade a2 -> a3

UPDATE alembic_version SET version_num='a3' WHERE alembic_version.version_num = 'a2';

