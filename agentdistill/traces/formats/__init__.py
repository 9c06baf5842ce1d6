"""The forms in which people publish what their agents did: one file a form."""
