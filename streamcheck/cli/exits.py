"""What do exit codes say? They are part of the command line's promise to scripts and supervisors."""

EXIT_FAILURE = 1
"""Refused or failed: a person must act."""
EXIT_MISTAKE = 2
"""A mistake in the config or the command line."""
EXIT_CRASHED = 70
"""EX_SOFTWARE of sysexits.h: a call hung, or streamcheck has a fault. Starting again is safe."""
EXIT_TEMPORARY = 75
"""EX_TEMPFAIL: the disk is full, or the schema registry is away. Starting again helps once that has passed."""
