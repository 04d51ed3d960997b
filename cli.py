"""The command line in a checkout: `python cli.py …` is `spadam …`."""

from spadam.cli import main

if __name__ == "__main__":
    main()
