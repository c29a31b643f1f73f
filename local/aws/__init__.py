"""AWS on this machine: moto's DynamoDB, KMS and Secrets Manager in a process of their own, with a memory on disk."""

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
COUNTERS_PATH = "/_local/calls"
"""On the same port as the APIs: how often each action was called."""
