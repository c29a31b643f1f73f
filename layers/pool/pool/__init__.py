"""What the gateway and the scheduled job share above the account store and the Poe client.

It stands on both and is the only package below the functions that may: how an account's credentials become a client,
how a client's error becomes an account's outcome, what an account's status is called, how settings are read.
"""
