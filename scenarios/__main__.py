"""`python -m ethospike.scenarios` is the command `ethospike`."""

from ethospike.__main__ import main

main()
