"""What is trained: ``task`` is the contract, and every other file a member of it. A configuration names one under
`model`; a task of your own stands there by its import path (:mod:`spadam.models.custom`).
"""
