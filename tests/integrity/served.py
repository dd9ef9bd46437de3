"""The type of the fixture ``served``, for annotations."""

from dataclasses import dataclass
from pathlib import Path

from sql_env.server.questions import QuestionSet
from sql_env.server.settings import Settings


@dataclass(frozen=True)
class Served:
    """A data set and how a server is told to serve it."""

    name: str
    data: Path
    questions: QuestionSet

    @property
    def settings(self) -> Settings:
        return Settings(data=self.data, dataset=self.name)

    @property
    def environ(self) -> dict[str, str]:
        return {"SQL_ENV_DATA": str(self.data), "SQL_ENV_DATASET": self.name, "LOG_LEVEL": "info"}
