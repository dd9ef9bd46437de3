"""Variants of curated databases, on which a memorised answer is wrong: the same question, changed data."""
