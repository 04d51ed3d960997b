"""What is known of a sweep: how far it is, its table, a line for every study."""
