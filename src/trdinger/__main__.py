"""`python -m trdinger`: the command line without its script."""

from trdinger.cli import main

main()
