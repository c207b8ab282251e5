"""The console: one module per page, written with Dash."""
