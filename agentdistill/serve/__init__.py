"""Hosts that go on until they are stopped: the services for others."""
