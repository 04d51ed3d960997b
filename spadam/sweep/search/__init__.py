"""Which trainings a search has, and with which parameters: pure functions of what a slot may see."""
