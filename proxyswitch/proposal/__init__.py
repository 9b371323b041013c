"""What `init` proposes: lookers see the machine (reading only), pure functions make a proxyswitch.toml of it."""
