"""What all row optimizers share: which rows a step touches, and the one row update of Adam's family."""
