"""OpenAI's Responses API as another surface of a generation: its request is told as a chat completion, so that prompts,
limits, tools and formats are handled in one place; its answer, its events and its storage are here."""
