"""HTTP/1.1 on connections of our own, to Poe and to AWS: a parser, a connection, and connections that are kept.

httpx, httpcore, h11 and anyio were half of what a streamed chunk cost, and `http.client` in a thread half of a call of
DynamoDB (docs/decisions.md has the figures). Whoever sends decides what an error means, and whether to send again.
"""
