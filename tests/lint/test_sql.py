"""SQL as people write it: phases, dialects, places, comments, and what cannot be judged."""

from __future__ import annotations

import time

import pytest
import sqlglot

from proxyswitch.errors import ConfigError
from proxyswitch.lint.sql.judge import phase_of
from tests.lint.helpers import found, places, rules

BAD = "ALTER TABLE book DROP COLUMN subtitle;\n"

# --- what is safe


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- nothing but a comment\n",
        ";;;",
        "ALTER TABLE book ADD COLUMN subtitle text;",
        "ALTER TABLE book ADD subtitle varchar(200) NULL;",
        "ALTER TABLE book ADD COLUMN stock int NOT NULL DEFAULT 0;",
        "ALTER TABLE book ADD COLUMN stock int DEFAULT -1 NOT NULL, ADD COLUMN open boolean NOT NULL DEFAULT false;",
        "ALTER TABLE book ADD COLUMN made timestamptz DEFAULT timezone('utc', now()) NOT NULL;",
        "ALTER TABLE book ADD COLUMN tags text[] NOT NULL DEFAULT ARRAY[]::text[];",
        "ALTER TABLE book ADD COLUMN name citext NOT NULL DEFAULT lower('A');",
        "ALTER TABLE book ALTER COLUMN pages DROP NOT NULL, ALTER COLUMN pages SET DEFAULT 3;",
        "ALTER TABLE book DROP CONSTRAINT book_isbn;",
        "ALTER TABLE book OWNER TO bob, SET (fillfactor = 70);",
        "CREATE TABLE review (id bigserial PRIMARY KEY, book_id int REFERENCES book (id));",
        "INSERT INTO book (title) VALUES ('DROP TABLE book;');",
        "SELECT setval('book_id_seq', 3);",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM x; END $$;",
        "CREATE TYPE mood AS ENUM ('a'); CREATE EXTENSION IF NOT EXISTS pgcrypto; ANALYZE book;",
    ],
)
def test_it_is_silent_for_what_the_old_version_can_live_with(text: str) -> None:
    assert rules(text) == []


# --- tables of the same file


def test_a_table_made_in_the_same_file_is_nobodys() -> None:
    made = 'CREATE TABLE public.review (id int);\nALTER TABLE "review" ADD CONSTRAINT r UNIQUE (id);\n'
    assert (
        rules(made + "CREATE INDEX i ON review (id); ALTER TABLE review RENAME TO r2; ALTER TABLE r2 DROP COLUMN id;") == []
    )


@pytest.mark.parametrize(
    "before",
    [
        "CREATE TABLE IF NOT EXISTS review (id int);",  # it may have been there
        "CREATE TABLE other.review (id int);",
        'CREATE TABLE "Review" (id int);',
        "CREATE TABLE review (id int); DROP TABLE review;",
        "CREATE TABLE review (id int);\n\\connect other\n",
        "CREATE TABLE review (id int); SET search_path = other;",
    ],
)
def test_a_table_that_may_be_another_is_judged(before: str) -> None:
    assert rules(f"{before} ALTER TABLE review DROP COLUMN id;") == ["drop-column"]


def test_a_table_made_only_later_is_judged() -> None:
    assert rules("DROP TABLE IF EXISTS review; CREATE TABLE review (id int);") == ["drop-table"]


def test_one_that_took_the_place_of_another_is_everybodys() -> None:
    text = "CREATE TABLE new (id int); DROP TABLE book; ALTER TABLE new RENAME TO book; ALTER TABLE book DROP COLUMN id;"
    assert rules(text) == ["table-rebuilt", "drop-column"]


# --- phases


@pytest.mark.parametrize(
    ("path", "phase"),
    [
        ("m.sql", "expand"),
        ("sql/contract/0005.sql", "contract"),
        ("contract/old/0005.sql", "contract"),
        ("contract/expand/0005.sql", "expand"),
        ("0005.contract.sql", "contract"),
        ("contract/0005.expand.sql", "expand"),
        ("contract.sql", "expand"),
        ("contractors/m.sql", "expand"),
    ],
)
def test_a_path_tells_the_phase(path: str, phase: str) -> None:
    assert phase_of(path, "expand") == phase
    assert rules(BAD, path) == (["drop-column"] if phase == "expand" else [])


def test_the_option_is_for_paths_that_tell_none() -> None:
    assert rules(BAD, "m.sql", phase="contract") == []
    assert rules(BAD, "expand/m.sql", phase="contract") == ["drop-column"]


# --- places


def test_each_clause_has_its_place() -> None:
    text = """BEGIN;
ALTER TABLE book
  ADD COLUMN a numeric(3, 2),
  DROP COLUMN b, DROP c;
DROP TABLE x; DROP TABLE y;
"""
    assert (
        places(text)
        == places(text.replace("\n", "\r\n"))
        == [
            (4, 3, "drop-column"),
            (4, 18, "drop-column"),
            (5, 1, "drop-table"),
            (5, 15, "drop-table"),
        ]
    )


def test_columns_count_characters_and_a_byte_order_mark_is_none() -> None:
    assert places("/* ä€😀 */ DROP TABLE x;") == [(1, 11, "drop-table")]
    assert places(b"\xef\xbb\xbfDROP TABLE x;") == [(1, 1, "drop-table")]


def test_lines_may_end_in_a_carriage_return() -> None:
    assert places("-- old Mac\rDROP TABLE x;\r") == [(2, 1, "drop-table")]


def test_a_quote_a_comment_or_a_comma_hides_nothing() -> None:
    text = """INSERT INTO t VALUES ('it''s; -- no comment', $x$ ; $$ ' $x$, E'\\';'); DROP TABLE a; /* ; /* nested */ ' */
ALTER TABLE "a,b" DROP COLUMN "c;,d", DROP COLUMN e -- the end is the end of the file"""
    at = text.index("DROP TABLE a") + 1
    assert places(text) == [(1, at, "drop-table"), (2, 19, "drop-column"), (2, 39, "drop-column")]


# --- dialects


@pytest.mark.parametrize(
    ("text", "fires"),
    [
        ("CREATE INDEX i ON book (title);", ["postgres"]),
        ("ALTER TABLE book ADD CONSTRAINT u UNIQUE (isbn);", ["postgres"]),
        ("ALTER TABLE book ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (id);", ["postgres"]),
        ("ALTER TABLE book ADD COLUMN c char(36) DEFAULT (uuid());", ["postgres"]),
        ("ALTER TABLE book DROP COLUMN c;", ["mysql", "postgres", "sqlite"]),
        ("ALTER TABLE book ADD COLUMN c int NOT NULL;", ["mysql", "postgres", "sqlite"]),
    ],
)
def test_dialects_differ(text: str, fires: list[str]) -> None:
    assert [d for d in ("mysql", "postgres", "sqlite") if rules(text, dialect=d)] == fires


def test_mysql_has_ways_of_its_own() -> None:
    text = (
        "SELECT 'a\\'; DROP TABLE x;'; # DROP TABLE y;\nALTER TABLE `a` ADD b int, DROP c, ALGORITHM=INSTANT, LOCK=NONE;\n"
    )
    assert places(text, dialect="mysql") == [(2, 28, "drop-column")]
    assert rules("/*!50001 DROP VIEW v */;", dialect="mysql") == ["drop-object"]
    body = "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @x = 1; DROP TABLE y; END"
    assert rules(f"DELIMITER //\n{body}//\nDELIMITER ;\n{BAD}", dialect="mysql") == ["drop-column"]


def test_the_body_of_a_trigger_is_one_statement() -> None:
    body = "UPDATE b SET c = CASE WHEN 1 THEN 2 END; DELETE FROM d;"
    text = f"CREATE TRIGGER t AFTER INSERT ON a BEGIN {body} END;\nDROP TABLE x;"
    assert places(text, dialect="sqlite") == [(2, 1, "drop-table")]


# --- comments


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE x; -- proxyswitch: ignore=sql/drop-table",
        "-- proxyswitch: ignore=sql/drop-table\nDROP TABLE x;",
        "-- proxyswitch: ignore=sql/drop-table,sql/truncate it is empty\nDROP TABLE x; TRUNCATE y;",
        "-- proxyswitch: ignore=sql/drop-column\nALTER TABLE a\n  DROP COLUMN b;",
        "ALTER TABLE a\n  -- proxyswitch: ignore=sql/drop-column\n  DROP COLUMN b;",
        "/* proxyswitch: ignore=sql/drop-table */\r\nDROP TABLE x;",
    ],
)
def test_a_comment_disables_a_rule(text: str) -> None:
    assert rules(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "-- proxyswitch: ignore=sql/drop-column\nDROP TABLE x;",
        "-- proxyswitch: ignore=sql/drop-table\n\nDROP TABLE x;",
        "SELECT 1; -- proxyswitch: ignore=sql/drop-table\nDROP TABLE x;",
        "DROP TABLE x;\n-- proxyswitch: ignore=sql/drop-table\n",
        "SELECT '-- proxyswitch: ignore=sql/drop-table';\nDROP TABLE x;",
    ],
)
def test_a_comment_for_something_else_disables_nothing(text: str) -> None:
    assert [rule for rule in rules(text) if rule != "comment/unused-ignore"] == ["drop-table"]


def test_a_comment_that_lets_nothing_pass_is_told() -> None:
    text = "-- proxyswitch: ignore=sql/truncate,sql/drop-table\nDROP TABLE x;"
    assert rules(text) == ["comment/unused-ignore"]


def test_a_comment_with_an_unknown_rule_is_an_error_that_names_it() -> None:
    (one,) = found("SELECT 1; -- proxyswitch: ignore=sql/drop-tabel\n")
    assert (one.line, one.column, one.rule, one.level) == (1, 11, "comment/unknown-rule", "error")
    assert "'sql/drop-tabel'" in one.message


# --- what cannot be judged


@pytest.mark.parametrize(
    "text",
    [
        "SELEC 1;",
        "FOO BAR;",
        "ALTER TABLE t;",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY;",
        "ALTER TABLE t ADD COLUMN;",
        "ALTER TABLE t ADD COLUMN c int, FROBNICATE;",
        "DO $$ BEGIN EXECUTE 'DROP TABLE x'; END $$;",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1';",
        "SELECT drop_everything();",
        "SELECT drop_one(name) FROM old;",
        "CALL migrate();",
        "EXPLAIN ANALYZE DELETE FROM t;",
        "REVOKE SELECT ON t FROM bob;",
        "VACUUM FULL t;",
        "\\i other.sql\n",
        "SELECT 'DROP TABLE ' || t FROM x \\gexec\n",
        "COPY t FROM stdin;\n1\tDROP TABLE x;\n\\.\n",
        "SELECT 'a quote that never ends; ALTER TABLE t ADD c int;",
        "SELECT $$ never ends",
        "SELECT " + "(" * 5000 + "1" + ")" * 5000 + ";",
    ],
    ids=lambda text: text[:40],
)
def test_what_cannot_be_judged_is_told(text: str) -> None:
    (one,) = found(text)
    assert (one.rule, one.level, one.line) == ("not-judged", "warning", 1)


def test_what_cannot_be_read_does_not_hide_the_rest() -> None:
    text = "SELEC 1;\nDROP TABLE a;\nCOPY a (b) FROM stdin;\n1\t';\n\\.\n\\unrestrict x\nDROP TABLE c;\n"
    assert places(text) == [(1, 1, "not-judged"), (2, 1, "drop-table"), (3, 1, "not-judged"), (7, 1, "drop-table")]


def test_a_string_is_never_shown() -> None:
    (one,) = found("ALTER ROLE app PASSWORD 'hunter2';")
    assert "ALTER ROLE app PASSWORD '…'" in one.message
    assert "hunter2" not in one.message


def test_client_commands_that_run_nothing_are_silent() -> None:
    assert rules("\\restrict abc\n\\set ON_ERROR_STOP on\n\\connect shop\n\\echo 'DROP TABLE x;'\nSELECT 1;\n") == []


def test_rows_that_never_end_take_the_rest() -> None:
    assert rules("COPY t FROM stdin;\n1\nDROP TABLE x;\n") == ["not-judged"]


def test_a_default_of_null_is_none() -> None:
    assert rules("ALTER TABLE book ADD COLUMN c int NOT NULL DEFAULT NULL;") == ["not-null-without-default"]
    assert rules("ALTER TABLE book ADD COLUMN c int DEFAULT NULL;") == []


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("ALTER TABLE a$b$ ADD c int; DROP TABLE x;", "postgres"),  # no dollar quote begins inside a word
        ("SELECT date'2020-01-01', 'it''s', \"it's\", U&'x'; DROP TABLE x;", "postgres"),
        ("SELECT 5--3; DROP TABLE x;", "mysql"),  # no comment: no space behind it
        ('SELECT "it\\"s;", `a;\'`; DROP TABLE x;', "mysql"),
        ("/*M!100100 DROP TABLE x */;", "mysql"),
        ("SELECT [it's;]; DROP TABLE x;", "sqlite"),
        ("CREATE VIEW v AS SELECT 1; DROP TABLE x", "sqlite"),
    ],
)
def test_nothing_hides_a_statement(text: str, dialect: str) -> None:
    assert rules(text, dialect=dialect) == ["drop-table"]


def test_a_forgotten_semicolon_does_not_hide_what_follows() -> None:
    assert rules("BEGIN\nDROP TABLE x;\nCOMMIT;") == ["not-judged"]
    for begin in ("BEGIN", "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE", "START TRANSACTION READ WRITE"):
        assert rules(f"{begin}; COMMIT;") == []


# --- transactions


def test_only_what_stands_between_begin_and_commit_is_in_a_transaction() -> None:
    make = "CREATE INDEX CONCURRENTLY i ON book (title);"
    assert rules(f"BEGIN; SELECT 1; COMMIT; {make}") == []
    for begin, end in (("START TRANSACTION", "COMMIT"), ("BEGIN", "END"), ("begin work", "ROLLBACK")):
        assert rules(f"{begin}; {make} {end}; {make}") == ["concurrent-index-in-transaction"]
    assert rules(f"BEGIN; SAVEPOINT a; ROLLBACK TO a; {make} COMMIT;") == ["concurrent-index-in-transaction"]


def test_a_concurrent_index_of_a_new_table_is_refused_in_a_transaction_too() -> None:
    text = "BEGIN; CREATE TABLE t (a int); CREATE INDEX CONCURRENTLY i ON t (a); COMMIT;"
    assert rules(text) == ["concurrent-index-in-transaction"]


def test_not_null_is_proven_by_a_valid_check_of_that_column_only() -> None:
    def said(check: str, validate: str = "ALTER TABLE t VALIDATE CONSTRAINT k;") -> list[str]:
        add = f"ALTER TABLE t ADD CONSTRAINT k CHECK ({check}) NOT VALID;"
        return rules(f"{add} {validate} ALTER TABLE t ALTER a SET NOT NULL;", phase="contract")

    assert said("a IS NOT NULL") == said("(a IS NOT NULL)") == said('"a" IS NOT NULL') == []
    for check in ("b IS NOT NULL", "a IS NULL", "a > 0", "a IS NOT NULL OR b > 0"):
        assert said(check) == ["set-not-null"], check
    assert said("a IS NOT NULL", "") == ["set-not-null"]
    assert said("a IS NOT NULL", "ALTER TABLE t VALIDATE CONSTRAINT other;") == ["set-not-null"]


# --- files that are none


def test_binary_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"m\.sql: this is no text"):
        found("DROP TABLE x;".encode("utf-16"))


def test_other_encodings_are_refused_with_their_place() -> None:
    with pytest.raises(ConfigError, match=r"m\.sql:2:3: not UTF-8"):
        found("SELECT 1;\n--ä".encode("latin-1"))


# --- size


@pytest.mark.parametrize(
    "line",
    [
        "ALTER TABLE book ADD COLUMN c{} int NOT NULL DEFAULT 0, ADD d{} text;\n",
        "ALTER TABLE t{} ALTER COLUMN c SET NOT NULL; DROP TABLE t{};\n",
    ],
)
def test_ten_thousand_statements_cost_a_few_times_what_the_parser_costs(line: str) -> None:
    text = "".join(line.format(i, i) for i in range(10_000 // line.count(";")))
    begun = time.process_time()
    sqlglot.parse(text, read="postgres")
    parser, begun = time.process_time() - begun, time.process_time()
    found(text)
    assert time.process_time() - begun < 8 * parser


def test_one_long_statement_is_no_trap() -> None:
    """Time grows with the size, not with its square: sixteen times the text costs less than sixty times the time."""

    def cost(n: int) -> float:
        text = "INSERT INTO t VALUES " + ",".join(f"({i}, 'it''s')" for i in range(n)) + "; /* " + "/* ' " * n
        begun = time.process_time()
        found(text)
        return time.process_time() - begun

    cost(100)
    assert cost(16_000) < 60 * max(cost(1_000), 0.01)
