"""Is the server of this machine healthy? What a container's HEALTHCHECK runs: ``python -m sql_env.server.health``.

``/health`` says that the process answers. This also opens every database that is served, so that a volume that went
away or a file that was removed shows before an agent meets it. It reads no question and no gold.
"""

import http.client
import sys

from sql_env.server.databases import CHECKSUMS, Databases, read_checksums
from sql_env.server.errors import DataError
from sql_env.server.questions import dataset_folders
from sql_env.server.sandbox import inspect
from sql_env.server.settings import Settings

TIMEOUT_SECONDS = 4.0


def check(settings: Settings) -> None:
    """Ask ``/health`` on the settings' port and open every database.

    Raises:
        DataError: a database or a checksum list is missing or cannot be read.
        OSError: the server did not answer as a healthy one does within 4 s.
    """
    ask(settings.port)
    for folder in dataset_folders(settings).values():
        for database in Databases.listed(folder, read_checksums(folder / CHECKSUMS)).values():
            inspect(database, "SELECT count(*) FROM sqlite_schema")


def ask(port: int) -> None:
    """Ask ``/health``.

    Raises:
        OSError: no answer within 4 s, or another than 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"port {port} does not speak HTTP: {error!r}") from None
    finally:
        connection.close()
    if status != http.client.OK:
        raise OSError(f"/health answered {status}")


def main() -> None:
    """Exit 0 and say nothing if all is well; else say why and exit 1."""
    try:
        check(Settings.from_environ())
    except (DataError, OSError) as error:
        sys.exit(f"unhealthy: {error}")


if __name__ == "__main__":
    main()
