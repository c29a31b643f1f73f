"""Deploying a gateway: what is checked before, what is run, and what it costs at worst."""
