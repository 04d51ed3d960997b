"""Finding each sample's k best latents without scoring all of them exactly, and yet without a doubt."""

from spadam.encoding.selector import Best, Selector, TopKSearch

__all__ = ["Best", "Selector", "TopKSearch"]
