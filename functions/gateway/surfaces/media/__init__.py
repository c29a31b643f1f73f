"""Images, speech and videos: bots whose answer is a file, behind the endpoints that OpenAI has for them."""
