"""Anthropic's Messages API over any model: what it shares with a chat completion is told as one."""
