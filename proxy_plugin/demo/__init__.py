"""The demo mesh: small services behind real Envoy sidecars, with load."""
