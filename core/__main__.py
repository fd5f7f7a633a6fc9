"""`python -m ethospike` is the command `ethospike`."""

import os
import sys


def main() -> None:
    """Run the command without the working directory on Python's path, as the script `ethospike` does.

    Python puts it there for `-m`; a nest.py or signal.py in it must not hide packages.
    """
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
        del sys.path[0]
    from ethospike.scenarios.command.start import main as command

    command()


if __name__ == "__main__":
    main()
