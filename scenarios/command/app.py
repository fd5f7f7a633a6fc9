"""The command `ethospike`: the table of its commands, its errors and its exit codes.

A mistake gives one message on stderr and exit code 1 (2 for a mistake in the words themselves); a signal
that stopped a run gives 128 plus its number: 130 for Ctrl-C.
"""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Sequence

import cyclopts
from cyclopts import Parameter

from ethospike.errors import EthospikeError
from ethospike.scenarios.command import checks
from ethospike.scenarios.run.files import MACHINE_ERRORS
from ethospike.scenarios.run.signals import SIGNALED, RunStopped
from ethospike.scenarios.terminal import console

PATH_ERRORS = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)
"""Errors of an invalid path, for figures, exports, films and benchmarks."""

OPEN_COMMANDS = ("run", "sweep", "calibrate", "experiment")
"""Commands that take any field of a scenario's configuration as a flag."""
HELP_FLAGS = ("--help", "-h")

app = cyclopts.App(
    name="ethospike",
    help="Spiking brains in bodies, in closed loop, for as long as an animal experiment lasts.",
    version_flags=["--version"],
    default_parameter=Parameter(negative_iterable=()),
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `main` says that it was interrupted
    console=console(),
    error_console=console(stderr=True),
)

# Each command's file is loaded by the command, or by the help that describes them all.
COMMANDS = "ethospike.scenarios.command"
app.command(checks.list_scenarios, name="list")
app.command(f"{COMMANDS}.runs:run", help_flags=[])  # `main` shows it, as those of sweep and calibrate
app.command(f"{COMMANDS}.runs:resume")
app.command(f"{COMMANDS}.runs:recover_run", name="recover")
app.command(f"{COMMANDS}.views:show")
app.command(f"{COMMANDS}.views:plot")
app.command(f"{COMMANDS}.reports:report")
app.command(f"{COMMANDS}.views:export")
app.command(f"{COMMANDS}.views:replay")
app.command(f"{COMMANDS}.views:view")
app.command(f"{COMMANDS}.sweeps:sweep", help_flags=[])
app.command(f"{COMMANDS}.sweeps:calibrate", help_flags=[])
app.command(f"{COMMANDS}.experiments:experiment", help_flags=[])
app.command(f"{COMMANDS}.experiments:compare")
app.command(f"{COMMANDS}.sweeps:task")
app.command(f"{COMMANDS}.sweeps:collect")
app.command(f"{COMMANDS}.serve:serve_brain", name="serve-brain")
app.command(f"{COMMANDS}.imports:import_tracks", name="import")
app.command(checks.run_doctor, name="doctor")
app.command(checks.bench)

validations = cyclopts.App(name="validate", result_action="return_value")
validations.default(checks.validate_larvae)
validations.command("ethospike.scenarios.validation.reach.comparison:main", name="reach")
validations.command("ethospike.scenarios.validation.networks:main", name="networks")
validations.command("ethospike.scenarios.validation.arms:validate_arms", name="arms")
validations.command("ethospike.scenarios.validation.connectomes:main", name="connectomes")
validations.command("ethospike.scenarios.bench.reward:main", name="reward-learning")
app.command(validations)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; mistakes end with a message and exit code 1, not with a traceback."""
    words = sys.argv[1:] if words is None else [*words]
    try:
        if set(words[:1]) & set(OPEN_COMMANDS) and set(words) & set(HELP_FLAGS):
            app.help_print(words[:1])
            if words[1].startswith("-"):
                return  # there is no scenario that could show its flags
        app(words)
    except RunStopped as error:
        print(f"ethospike: {error}", file=sys.stderr)
        sys.exit(SIGNALED + error.signal)
    except EthospikeError as error:
        print(f"ethospike: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in MACHINE_ERRORS + PATH_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"ethospike: {where}{error.strerror}; free some space, or choose a place that can be written. "
            f"What was recorded before is safe",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("ethospike: interrupted", file=sys.stderr)
        sys.exit(SIGNALED + signal.SIGINT)


if __name__ == "__main__":
    main()
