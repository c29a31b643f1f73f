"""Requests to Poe over our own HTTP connections: what both clients ask and read with."""
