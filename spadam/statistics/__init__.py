"""Statistics: pure functions of numbers, one idea a file. Nothing here knows what a sweep is."""
