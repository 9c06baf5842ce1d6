"""Every error that this package raises on purpose.

One base, one subclass per boundary. Each also inherits the standard type that a caller would catch anyway, and is
built from one message, so that it survives pickling between Ray processes. `UserError`s are shown to the user as one
sentence with exit status 2; the others are faults of a part and carry what is needed to decide on a retry.
"""


class AgentDistillError(Exception):
    """The base of every deliberate error here."""


class UserError(AgentDistillError, ValueError):
    """Something that the user gave is not usable; the message says what, where, and what was expected."""


class ConfigError(UserError):
    """A config file or an override does not fit the schema."""


class DataError(UserError):
    """A file of questions, passages or trajectories cannot be read as what it should be."""


class RunFolderError(AgentDistillError, OSError):
    """A run folder belongs to another config, is in use, or cannot be written."""


class MissingPartError(AgentDistillError, ImportError):
    """An installed package, kernel feature or binary that this path needs is not there."""


class EngineError(AgentDistillError, RuntimeError):
    """The engine failed or died: the request may be retried elsewhere."""


class PromptTooLongError(AgentDistillError, ValueError):
    """The prompt leaves no room to generate within the model's context."""


class SandboxError(AgentDistillError, RuntimeError):
    """The sandbox itself (not the code in it) failed."""


class SessionLostError(SandboxError):
    """The session's state is gone (killed by a limit, replica died); the message says what was lost."""


class BusyError(AgentDistillError, RuntimeError):
    """A service is at its bound of queued work; try again after a pause."""


class RetrieverError(AgentDistillError, ConnectionError):
    """The retriever could not answer. Never raised for a search that found nothing."""


class GradingError(AgentDistillError, RuntimeError):
    """The grader could not decide; never to be counted as a wrong answer."""


class TrainingError(AgentDistillError, RuntimeError):
    """Training cannot go on; the message names the step and what to change."""


class CheckpointError(AgentDistillError, OSError):
    """A checkpoint or adapter is torn, empty, or does not belong to this model."""
