"""SQL: migrations that run while two versions of an application are up. `judge` is the way in."""
