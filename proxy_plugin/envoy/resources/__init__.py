"""xDS resources of one sidecar, as JSON-like dicts: `render` composes what the other modules write."""
