"""Sweeps: the same search for every variant, over one Optuna storage.

A *variant* is an optimizer as it is compared. A *trial* is one suggestion, one training; a *seed repeat* trains the
tuned best of a variant again with a fresh seed. A *study* is one independent search of a variant; a *sweep* is all
studies of all variants. A *slot* is one planned training, an *attempt* an Optuna trial that carries its slot. A slot is
*accepted* once an attempt has told its result.

``spec`` is a sweep as its file says it, ``reading`` checks that file, ``plan`` says which slots it has, ``propose``
which parameters a slot is given, ``study`` keeps it all in Optuna's storage. The ``agent`` runs a sweep: it has the
``dispatch`` claim slots, hand them to a ``crew`` of ``worker`` processes, and tell what came of them; ``results`` reads
it. ``forecast`` says beforehand what a sweep will take and what it can show, from *rehearsals* (short trainings);
``pilot`` measures where to centre each lr.
"""
