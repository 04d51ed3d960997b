"""What is measured: one diagnostic a file; ``metrics`` is the one registry of names, ``telemetry`` decides when."""
