BEGIN;
--
-- Add field editor to book
--
ALTER TABLE "shop_book" ADD COLUMN "editor_id" bigint NULL CONSTRAINT "shop_book_editor_id_71eff3c6_fk_shop_author_id" REFERENCES "shop_author"("id") DEFERRABLE INITIALLY DEFERRED; SET CONSTRAINTS "shop_book_editor_id_71eff3c6_fk_shop_author_id" IMMEDIATE;
--
-- Alter field isbn on book
--
ALTER TABLE "shop_book" ADD CONSTRAINT "shop_book_isbn_d60b4a22_uniq" UNIQUE ("isbn");
CREATE INDEX "shop_book_isbn_d60b4a22_like" ON "shop_book" ("isbn" varchar_pattern_ops);
--
-- Alter field pages on book
--
ALTER TABLE "shop_book" ALTER COLUMN "pages" SET NOT NULL;
--
-- Create index book_price_idx on field(s) price of model book
--
CREATE INDEX "book_price_idx" ON "shop_book" ("price");
--
-- Create constraint book_price_not_negative on model book
--
ALTER TABLE "shop_book" ADD CONSTRAINT "book_price_not_negative" CHECK ("price" >= 0);
CREATE INDEX "shop_book_editor_id_71eff3c6" ON "shop_book" ("editor_id");
COMMIT;
