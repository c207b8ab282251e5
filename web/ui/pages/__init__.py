"""One module per page; `catalogue` lists them."""
