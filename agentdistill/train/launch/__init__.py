"""Who starts the processes that train on a cluster: room for them, and Ray Train."""
