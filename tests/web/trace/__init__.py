"""Tests of web.trace, by the numbers of the rules."""
