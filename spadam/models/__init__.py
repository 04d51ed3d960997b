"""What is trained: the autoencoder, and the probe on its codes."""
