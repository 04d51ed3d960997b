"""What is known of a sweep: how far it is, its table, a summary of every study."""
