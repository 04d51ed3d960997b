"""What a test tells a command through its environment. Nothing is imported here: a clock is turned before the rest."""

LOG = "CHAOS_LOG"
"""The file in which trainings note their steps."""

STALL = "CHAOS_STALL"
"""Seconds after which a worker of which nothing is heard is given up."""

CLOCK = "CHAOS_CLOCK"
"""Seconds by which the clock of a process is wrong."""
