BEGIN;
--
-- Add field subtitle to book
--
ALTER TABLE "shop_book" ADD COLUMN "subtitle" varchar(200) NULL;
--
-- Add field stock to book
--
ALTER TABLE "shop_book" ADD COLUMN "stock" integer DEFAULT 0 NOT NULL;
COMMIT;
