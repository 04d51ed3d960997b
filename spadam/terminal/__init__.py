"""What a person sees of a training, a sweep, a forecast. rich is imported here and in the commands, nowhere else."""
