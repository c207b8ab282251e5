"""Tests of where things are drawn."""
