"""What is kept: spans and calls in ClickHouse (embedded or a cluster), policies and users in SQL."""
