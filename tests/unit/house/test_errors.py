"""Errors cross processes and are caught by their standard types."""

import inspect
import pickle

import pytest

from agentdistill import errors

ALL = [item for _, item in inspect.getmembers(errors, inspect.isclass) if item.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_pickles_with_its_message(kind: type[Exception]) -> None:
    copy = pickle.loads(pickle.dumps(kind("what went wrong")))
    assert type(copy) is kind
    assert str(copy) == "what went wrong"


@pytest.mark.parametrize("kind", [item for item in ALL if item is not errors.AgentDistillError])
def test_every_error_is_also_a_standard_one(kind: type[Exception]) -> None:
    standard = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    assert issubclass(kind, errors.AgentDistillError)
    assert standard[0] not in (Exception, BaseException, object)
