"""`python -m ethospike` is the command `ethospike`."""

from ethospike.scenarios.command.start import main

main()
