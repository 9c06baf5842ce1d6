"""A tool: a function with hints and a docstring, which the prompt shows and the agent's code calls."""


def digits(number: int, base: int = 10) -> list[int]:
    """Returns the digits of a number that is not negative, the first one first."""
    if number < base:
        return [number]
    return [*digits(number // base, base), number % base]
