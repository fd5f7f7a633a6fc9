"""Other programs: a brain for larvaworld's larvae, and tracks of real larvae as recordings."""
