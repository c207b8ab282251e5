"""The whole product: real Envoys, a real browser."""
