"""Tests of the scripts of the page, each in a browser without a server."""
