"""The command line in a checkout: `python cli.py …` is `spadam …`."""

from spadam.cli import program

if __name__ == "__main__":
    program()
