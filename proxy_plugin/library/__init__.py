"""What a sidecar does, inside a Python process: see `proxy_plugin.httpx` and `proxy_plugin.asgi`."""
