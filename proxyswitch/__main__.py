"""`python -m proxyswitch` does what the `proxyswitch` command does."""

from proxyswitch.cli import main

if __name__ == "__main__":
    main()
