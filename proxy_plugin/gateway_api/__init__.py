"""Policies as HTTPRoutes of the Kubernetes Gateway API, read and written."""
