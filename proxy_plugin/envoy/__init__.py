"""Envoy: bootstrap, resources, immutable snapshots, the ADS server, validation and processes."""
