--
-- Concurrently create index book_stock_idx on field(s) stock of model book
--
CREATE INDEX CONCURRENTLY "book_stock_idx" ON "shop_book" ("stock");
