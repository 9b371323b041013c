"""The demo: a private nginx, a small app and a load client, to watch a switch and a broken release without a risk."""
