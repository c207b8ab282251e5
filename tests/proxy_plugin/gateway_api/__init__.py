"""HTTPRoutes read and written."""
