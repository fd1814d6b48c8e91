"""`python -m gamekeeper` is the command `gamekeeper`."""

from gamekeeper.cli import main

if __name__ == "__main__":
    main()
