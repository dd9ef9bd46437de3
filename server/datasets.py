"""Every data set that a server serves, those in files and the procedural one."""

from pathlib import Path

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
    asked = [name.strip() for name in settings.dataset.split(",") if name.strip()]
    if not folders and PROCEDURAL not in asked:
        raise DataError(f"no data set found under {settings.data}; run: git checkout data/starter")
    if PROCEDURAL in folders:
        raise DataError(f"{folders[PROCEDURAL]}: no other data set can be called {PROCEDURAL}; rename the folder")
    sets: dict[str, TaskSet] = {name: load(name, folder) for name, folder in folders.items()}
    sets[PROCEDURAL] = ProceduralTasks()
    # A folder is known by its last name.
    order = [name if name in sets else Path(name).resolve().name for name in asked or sets]
    return {name: sets[name] for name in order}
