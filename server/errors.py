"""Every error that the environment raises on purpose, in one tree.

::

    SQLEnvError
    ├── AgentError            the agent's fault: becomes observation text and costs a step
    │   ├── ActionError       an action that does not exist, or an argument that names nothing
    │   ├── StatementError    SQL that SQLite refuses: syntax, unknown names, wrong types
    │   ├── ForbiddenError    SQL that this environment refuses: writes, metadata, unlisted functions
    │   ├── LimitError        SQL that ran past a limit: work, memory, size
    │   │   └── TimeLimitError    … the limit on its time
    │   └── BusyError         SQL that waited for its turn in vain: to be tried again
    ├── TaskError             the caller's fault: reset names a task, split or database that does not exist
    └── DataError             the data's fault: a file is missing, differs from its checksum, or is malformed

Messages of AgentError and TaskError are shown to clients: they hold no path, no Python name and no gold
answer, and they say what to do. A DataError names the file and the command that mends it; it is raised while
loading, before the first session. Anything that is none of these is our own fault, propagates, and is logged.
"""


class SQLEnvError(Exception):
    """Root of the tree."""


class AgentError(SQLEnvError):
    """What the agent did cannot be carried out; the message tells it why and what to do."""


class ActionError(AgentError):
    """The action is unknown or its argument names nothing."""


class StatementError(AgentError):
    """SQLite refused the statement."""


class ForbiddenError(AgentError):
    """The statement asks for something that this environment does not allow."""


class LimitError(AgentError):
    """The statement ran past a limit, which the message names with its value."""


class TimeLimitError(LimitError):
    """The statement was stopped by the clock."""


class BusyError(AgentError):
    """No turn came for the statement; nothing is wrong with it, so an answer is not graded."""


class TaskError(SQLEnvError):
    """``reset`` asked for a task, split, database or data set that does not exist."""


class DataError(SQLEnvError):
    """A database or question file is missing, differs from its checksum or is malformed."""
