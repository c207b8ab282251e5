"""What sits at the proxy: traffic policy, Envoy control, sidecars, the demo mesh."""
