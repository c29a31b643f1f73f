"""The console: pages in the browser, and what they ask for. `front` is the way in, docs/console-api.md the contract."""
