"""The command line of the gateway: accounts, keys, points, chats and deployments, over HTTP only."""

__version__ = "0.2.0"
