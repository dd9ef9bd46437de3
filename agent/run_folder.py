"""A run's folder: what was asked, what was played, what was lost; a run that was cut off goes on where it stopped.

::

    run.json              the settings that decide the results
    trajectories.jsonl    an episode a line, written as each ends; at the end sorted by task, try and variant
    lost.jsonl            episodes that the server or the connection failed each time, as they came; not counted
"""

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from sql_env.agent.jobs import Job, Lost, job_of
from sql_env.agent.trajectory import Trajectory

PICTURES = {
    "accuracy.png": "Accuracy by hardness and answer type",
    "steps.png": "Steps against return",
    "failures.png": "Causes of failure",
}
"""The figures and their titles."""
RESULTS = ("summary.json", "summary.md", "README.md", *PICTURES)
"""What is written at the end (agent/results.py)."""
SAME = ("dataset", "answer_form", "prompt")
"""What the episodes of a run say as its settings do."""

if sys.platform != "win32":
    import fcntl


class RunFolderError(RuntimeError):
    """The folder holds another run, or cannot be read; the message says what to do."""


class RunFolder:
    """Opens a run's folder, for a new run or to go on with one.

    Args:
        path: the folder; made if it is missing.
        settings: what decides the results, as JSON. A folder with other settings is refused.
        jobs: what the run asks for; None allows anything.
        overwrite: begin anew, whatever the folder holds.

    Raises:
        RunFolderError: the folder holds a run with other settings, or files of something else.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, Any], jobs: Collection[Job] | None = None, overwrite: bool = False
    ) -> None:
        self.path = path
        self.trajectories = path / "trajectories.jsonl"
        self._lost, self._run = path / "lost.jsonl", path / "run.json"
        path.mkdir(parents=True, exist_ok=True)
        self._file = self.trajectories.open("a", encoding="utf-8")
        try:
            _lock(self._file, path)
            if overwrite:
                self._file.truncate(0)
                for name in ("run.json", "lost.jsonl", *RESULTS):
                    (path / name).unlink(missing_ok=True)
            self._claim(json.loads(json.dumps(settings)))
            self.played = self._read(settings, jobs)
        except BaseException:
            self.close()
            raise

    def _claim(self, settings: dict[str, Any]) -> None:
        if not self._run.exists():
            if self.trajectories.stat().st_size:
                raise RunFolderError(f"{self.path} holds trajectories without run.json: choose another folder")
            whole = self._run.with_suffix(".new")
            whole.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", "utf-8")
            whole.replace(self._run)
            return
        held = read_settings(self.path)
        other = sorted(key for key in {*held, *settings} if held.get(key) != settings.get(key))
        if other:
            told = ", ".join(f"{key}: {held.get(key)!r}, now {settings.get(key)!r}" for key in other)
            raise RunFolderError(
                f"{self.path} holds another run ({told}): choose another --out, or --overwrite to begin anew"
            )

    def _read(self, settings: Mapping[str, Any], jobs: Collection[Job] | None) -> dict[Job, Trajectory]:
        """Read what was finished; a last line that was cut off is dropped."""
        data = self.trajectories.read_bytes()
        whole = data.rfind(b"\n") + 1
        self._file.truncate(whole)
        found: dict[Job, Trajectory] = {}
        asked = None if jobs is None else set(jobs)
        for number, episode in enumerate(parsed(self.trajectories, data[:whole].decode()), 1):
            job = job_of(episode)
            foreign = asked is not None and job not in asked
            other = {name for name in SAME if name in settings and getattr(episode, name) != settings[name]}
            if job in found or foreign or other:
                why = "stands twice" if job in found else "is not of this run"
                raise RunFolderError(f"{self.trajectories}:{number}: this episode {why}: choose another folder")
            found[job] = episode
        return found

    def write(self, outcome: Trajectory | Lost) -> None:
        """Keep an outcome."""
        if isinstance(outcome, Lost):
            with self._lost.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_told(outcome), ensure_ascii=False) + "\n")
            return
        if self.played:  # a policy that changes its name from run to run is still one
            outcome.policy = next(iter(self.played.values())).policy
        self.played[job_of(outcome)] = outcome
        self._file.write(outcome.to_json() + "\n")
        self._file.flush()

    def finish(self) -> list[Trajectory]:
        """Sort the file by task, try and variant; return the episodes in this order."""
        self.close()
        episodes = [self.played[job] for job in sorted(self.played)]
        sorted_file = self.trajectories.with_suffix(".sorted")
        sorted_file.write_text("".join(episode.to_json() + "\n" for episode in episodes), "utf-8")
        sorted_file.replace(self.trajectories)
        return episodes

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _told(lost: Lost) -> dict[str, Any]:
    """Return a lost episode as JSON; the original's variant, 0, is not written."""
    data = asdict(lost)
    if lost.job.variant == 0:
        del data["job"]["variant"]
    return data


def _lock(file: TextIO, path: Path) -> None:
    """Keep other processes from writing the same run, where the system can."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise RunFolderError(
            f"another process writes the run in {path}: wait for it, or choose another --out"
        ) from None


def read_settings(path: Path) -> dict[str, Any]:
    """Read a run's settings.

    Raises:
        RunFolderError: there are none.
    """
    try:
        settings = json.loads((path / "run.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} is no run's folder: run.json: {error}") from None
    if not isinstance(settings, dict):
        raise RunFolderError(f"{path} is no run's folder: run.json holds no object")
    return settings


def read_trajectories(path: Path) -> list[Trajectory]:
    """Read a file of trajectories, or the one in a run's folder.

    Raises:
        RunFolderError: it is missing, empty or no file of trajectories.
    """
    file = path / "trajectories.jsonl" if path.is_dir() else path
    try:
        episodes = parsed(file, file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{file}: {error}") from None
    if not episodes:
        raise RunFolderError(f"{file} holds no trajectory")
    return episodes


def parsed(file: Path, text: str) -> list[Trajectory]:
    """Parse lines of trajectories; ``file`` is for messages.

    Raises:
        RunFolderError: a line is none.
    """
    episodes = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line:
            continue
        try:
            episodes.append(Trajectory.from_json(line))
        except ValueError as error:
            raise RunFolderError(f"{file}:{number}: {error}") from None
    return episodes
