"""The pages of the console, one module each: what a page asks for, as one answer."""
