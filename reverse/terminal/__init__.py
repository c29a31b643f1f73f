"""`python -m reverse`: a chat in the terminal, single questions for scripts, and a diagnosis of the way to Poe."""
