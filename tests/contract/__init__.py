"""The contract of the HTTP API, as its own description tells it, against a server that runs."""
