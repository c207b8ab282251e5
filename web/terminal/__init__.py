"""The API from a terminal: commands that ask a running server."""
