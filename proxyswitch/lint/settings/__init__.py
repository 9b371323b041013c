"""Settings files of our own, `proxyswitch.toml`."""
