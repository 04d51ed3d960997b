"""Running a sweep: the agent, its crew, and what a worker does."""
