"""Config text, lossless: no process, no clock, no write."""
