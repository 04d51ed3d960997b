"""spadam: how Adam and its sparse variants behave when only some rows of a model get a gradient in a step."""

__version__ = "0.1.0"
