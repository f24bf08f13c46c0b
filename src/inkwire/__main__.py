"""`python -m inkwire` is the same as `inkwire`."""

from inkwire.cli import main

if __name__ == "__main__":
    main()
