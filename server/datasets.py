"""Every data set that a server serves, those in files and the procedural one."""

from sql_env.server.errors import DataError
from sql_env.server.procedural.source import ProceduralTasks
from sql_env.server.questions import PROCEDURAL, TaskSet, dataset_folders, load
from sql_env.server.settings import Settings


def load_all(settings: Settings) -> dict[str, TaskSet]:
    """Load every data set to serve, the default one first.

    Without a choice in the settings these are those that are installed, and last the procedural one.

    Raises:
        DataError: none is installed, or one is damaged.
    """
    folders = dataset_folders(settings)
    names = list(map(str.strip, settings.dataset.split(","))) if settings.dataset else [*folders, PROCEDURAL]
    if not folders and PROCEDURAL not in map(str.strip, settings.dataset.split(",")):
        raise DataError(f"no data set found under {settings.data}; run: git checkout data/starter")
    loaded = iter([load(name, folder) for name, folder in folders.items()])
    return {s.name: s for s in (ProceduralTasks() if name == PROCEDURAL else next(loaded) for name in names)}
