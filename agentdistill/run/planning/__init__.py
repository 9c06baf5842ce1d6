"""What a run would do: what its phases ask the cluster for and need, as tables."""
