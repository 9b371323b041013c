BEGIN;
--
-- Rename field title on book to name
--
ALTER TABLE "shop_book" RENAME COLUMN "title" TO "name";
--
-- Alter field price on book
--
CREATE TABLE "new__shop_book" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "isbn" varchar(13) NULL UNIQUE, "pages" integer NOT NULL, "author_id" bigint NOT NULL REFERENCES "shop_author" ("id") DEFERRABLE INITIALLY DEFERRED, "subtitle" varchar(200) NULL, "stock" integer DEFAULT 0 NOT NULL, "editor_id" bigint NULL REFERENCES "shop_author" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(200) NOT NULL, "price" bigint NOT NULL, CONSTRAINT "book_price_not_negative" CHECK ("price" >= 0));
INSERT INTO "new__shop_book" ("id", "isbn", "pages", "author_id", "subtitle", "stock", "editor_id", "name", "price") SELECT "id", "isbn", "pages", "author_id", "subtitle", "stock", "editor_id", "name", "price" FROM "shop_book";
DROP TABLE "shop_book";
ALTER TABLE "new__shop_book" RENAME TO "shop_book";
CREATE INDEX "shop_book_author_id_82b8ab51" ON "shop_book" ("author_id");
CREATE INDEX "shop_book_editor_id_71eff3c6" ON "shop_book" ("editor_id");
CREATE INDEX "shop_book_name_a7b22959" ON "shop_book" ("name");
CREATE INDEX "book_price_idx" ON "shop_book" ("price");
--
-- Remove field subtitle from book
--
ALTER TABLE "shop_book" DROP COLUMN "subtitle";
--
-- Rename model author to Writer
--
ALTER TABLE "shop_author" RENAME TO "shop_writer";
CREATE TABLE "new__shop_book" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "isbn" varchar(13) NULL UNIQUE, "pages" integer NOT NULL, "author_id" bigint NOT NULL REFERENCES "shop_writer" ("id") DEFERRABLE INITIALLY DEFERRED, "stock" integer DEFAULT 0 NOT NULL, "price" bigint NOT NULL, "editor_id" bigint NULL REFERENCES "shop_writer" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(200) NOT NULL, CONSTRAINT "book_price_not_negative" CHECK ("price" >= 0));
INSERT INTO "new__shop_book" ("id", "isbn", "pages", "stock", "price", "editor_id", "name", "author_id") SELECT "id", "isbn", "pages", "stock", "price", "editor_id", "name", "author_id" FROM "shop_book";
DROP TABLE "shop_book";
ALTER TABLE "new__shop_book" RENAME TO "shop_book";
CREATE INDEX "shop_book_author_id_82b8ab51" ON "shop_book" ("author_id");
CREATE INDEX "shop_book_editor_id_71eff3c6" ON "shop_book" ("editor_id");
CREATE INDEX "shop_book_name_a7b22959" ON "shop_book" ("name");
CREATE INDEX "book_price_idx" ON "shop_book" ("price");
--
-- Delete model book
--
DROP TABLE "shop_book";
COMMIT;
