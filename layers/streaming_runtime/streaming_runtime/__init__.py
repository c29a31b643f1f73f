"""Mangum that streams: an AWS Lambda runtime loop for any ASGI application.

Configured, not called: `AWS_LAMBDA_EXEC_WRAPPER=/opt/streaming-runtime` starts it in place of AWS's Python
runtime client, and `_HANDLER` names the application. See the README next to this package.
"""

__version__ = "0.1.0"
