BEGIN;
--
-- Add field price to book
--
ALTER TABLE "shop_book" ADD COLUMN "price" integer DEFAULT 0 NOT NULL;
ALTER TABLE "shop_book" ALTER COLUMN "price" DROP DEFAULT;
COMMIT;
