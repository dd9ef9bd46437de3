"""Tasks made from a seed: worlds, databases, questions."""
