"""Sweeps: the same search for every variant, over one Optuna storage.

A *variant* is an optimizer as it is compared. A *trial* is one suggestion, one training; a *seed repeat* trains the
tuned best of a variant again with a fresh seed. A *study* is one independent search of a variant; a *sweep* is all
studies of all variants. A *slot* is one planned training, an *attempt* an Optuna trial that carries its slot. A slot is
*accepted* once an attempt has told its result.

``definition`` reads and checks a file; ``search`` says which slots there are and which parameters each is given;
``store`` keeps it all in Optuna's storage; ``running`` has the slots trained; ``outcome`` reads what came of them;
``forecast`` says beforehand what a sweep will take and what it can show.
"""
