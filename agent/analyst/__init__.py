"""The scripted analyst: a policy without a model and without golds; policy.py says how it plays."""
