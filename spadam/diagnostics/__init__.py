"""What is measured: ``diagnostic`` is the contract and ``registry`` the list of its members, one diagnostic a file;
``metrics`` is the one registry of names. When something is measured :mod:`spadam.training.telemetry` decides.
"""
