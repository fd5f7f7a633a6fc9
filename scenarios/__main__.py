"""`python -m ethospike.scenarios` is the command `ethospike`."""

from ethospike.scenarios.command.start import main

main()
