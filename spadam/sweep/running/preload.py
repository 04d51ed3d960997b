"""What the server of workers imports before all else, and nobody besides: from then on Lightning is imported slim.

The server is told modules to import, not functions to call, so this one acts when it is imported.
"""

from spadam.training.slim import slim

slim()
