"""Sweeps: the same search for every variant, over one Optuna storage.

A *variant* is an optimizer as it is compared. A *trial* is one suggestion, one training; a *seed repeat* trains the
tuned best of a variant again with a fresh seed. A *study* is one independent search of a variant; a *sweep* is all
studies of all variants. A *slot* is one planned training, an *attempt* an Optuna trial that carries its slot. A slot is
*accepted* once an attempt has told its result.

``spec`` is a sweep as its file says it, ``reading`` checks that file, ``plan`` says which slots it has, ``propose``
which parameters a slot is given, ``study`` keeps it all in Optuna's storage, ``agent`` claims, trains and tells,
``results`` reads what came of it.
"""
