"""Tests of proxy_plugin.envoy.resources."""
