"""The pages of the HTTP API's documentation, with Swagger UI on board: they work without the internet."""
