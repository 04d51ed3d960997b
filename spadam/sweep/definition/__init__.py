"""From a YAML file to a sweep in which everything has been checked."""
