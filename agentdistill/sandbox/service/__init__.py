"""The sandbox as a service on Ray Serve, and its client."""
