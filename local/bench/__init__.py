"""Measures the gateway beside its alternatives. Nothing is imported here: some of its modules are what is measured."""
