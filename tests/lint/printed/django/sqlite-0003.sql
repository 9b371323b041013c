BEGIN;
--
-- Add field price to book
--
CREATE TABLE "new__shop_book" ("price" integer NOT NULL, "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "title" varchar(200) NOT NULL, "isbn" varchar(13) NULL, "pages" integer NULL, "author_id" bigint NOT NULL REFERENCES "shop_author" ("id") DEFERRABLE INITIALLY DEFERRED, "subtitle" varchar(200) NULL, "stock" integer DEFAULT 0 NOT NULL);
INSERT INTO "new__shop_book" ("id", "title", "isbn", "pages", "author_id", "subtitle", "stock", "price") SELECT "id", "title", "isbn", "pages", "author_id", "subtitle", "stock", 0 FROM "shop_book";
DROP TABLE "shop_book";
ALTER TABLE "new__shop_book" RENAME TO "shop_book";
CREATE INDEX "shop_book_title_1f19d72a" ON "shop_book" ("title");
CREATE INDEX "shop_book_author_id_82b8ab51" ON "shop_book" ("author_id");
COMMIT;
