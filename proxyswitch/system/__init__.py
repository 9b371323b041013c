"""Every raw effect: files, locks, processes, sockets, signals, the clock. Nothing else touches the world."""
