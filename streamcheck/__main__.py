"""`python -m streamcheck` is the `streamcheck` command."""

from streamcheck.cli import main

if __name__ == "__main__":
    main()
