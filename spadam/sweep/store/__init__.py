"""Optuna's storage: where it lies, what a sweep keeps in it, and Optuna's own view of it."""
