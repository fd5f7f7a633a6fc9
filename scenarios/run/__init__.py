"""Running a scenario: the run, its folder, checkpoints and progress."""
