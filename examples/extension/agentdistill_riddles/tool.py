"""A tool: a function with hints and a docstring, which the prompt shows and the agent's code calls."""


def digits(number: int, base: int = 10) -> list[int]:
    """Return the digits of a number, the first one first.

    `base` is between 2 and 10.
    """
    found: list[int] = []
    while number:
        number, digit = divmod(number, base)
        found.insert(0, digit)
    return found or [0]
