"""The host's side of the sandbox: sessions, their processes, tools and limits."""
