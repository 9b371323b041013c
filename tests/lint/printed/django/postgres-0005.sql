BEGIN;
--
-- Rename field title on book to name
--
ALTER TABLE "shop_book" RENAME COLUMN "title" TO "name";
--
-- Alter field price on book
--
ALTER TABLE "shop_book" ALTER COLUMN "price" TYPE bigint USING "price"::bigint;
--
-- Remove field subtitle from book
--
ALTER TABLE "shop_book" DROP COLUMN "subtitle" CASCADE;
--
-- Rename model author to Writer
--
ALTER TABLE "shop_author" RENAME TO "shop_writer";
--
-- Delete model book
--
DROP TABLE "shop_book" CASCADE;
COMMIT;
