"""The student: loading and checking it, its attention and its adapter, and writing it down."""
