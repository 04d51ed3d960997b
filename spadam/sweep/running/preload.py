"""What the server of workers imports before all else, and so does a worker of Ray: from then on Lightning comes slim.

The server is told modules to import, not functions to call, so this one acts when it is imported.
"""

from spadam.training.slim import slim

slim()
