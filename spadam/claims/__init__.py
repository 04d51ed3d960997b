"""Claims: sentences about what a sweep compares, and what its trainings say to them.

A claim names two variants (or one and a bound), a metric and a margin; its *verdict* is what holds of it, by how much
and how sure. Nothing here knows of sweeps: :class:`~spadam.claims.arm.Arm` is all that a variant brings.
"""
