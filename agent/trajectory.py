"""A trajectory: one episode as data, and as a line of JSON.

It holds what is needed to replay and audit the episode, and nothing that another run of the same episode would not
repeat: no time, address or episode id.
"""

import json
from dataclasses import asdict, dataclass, field

from sql_env.agent.faults import Fault, clean

_UNWRITTEN = {"test_suite": None, "variant": 0}
"""Fields that are left out of a line where they have these values, as in lines of older versions."""


@dataclass
class Step:
    """One action and what it gave.

    Attributes:
        error: what was wrong with the action; None if nothing was.
        error_kind: the class of the error, such as ``StatementError``.
        reward: the step's reward.
        reply: what a language model wrote; None for other policies.
        prompt_tokens: tokens it read for this action, all its tries counted; None if unknown.
        completion_tokens: tokens it wrote.
        notes: what else the policy recorded.
    """

    action_type: str
    argument: str
    result: str
    error: str | None
    reward: float
    error_kind: str | None = None
    reply: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class Trajectory:
    """One episode as it was played.

    Attributes:
        policy: who played.
        prompt: version of the prompt texts; None for policies without.
        seed: the seed that drew the task; None where it was chosen by index or id.
        index: the task's place in the split; None where it was drawn.
        num_tasks: how many tasks there are to index; None unless the task was chosen by index.
        repeat: which try at the task, from 0.
        variant: the changed database that it was played on; 0 is the original.
        policy_seed: the seed that the policy got.
        correct: whether the right answer was given.
        episode_return: the outcome return, in [−0.1, 1.0].
        components: the return by component.
        verdict: how the answer was graded; None if none was given.
        hardness: the question's hardness, as the last observation tells it.
        answer_type: what kind of gold it has.
        par: the oracle's number of steps.
        twin_of: the first task of the data set with the same gold, often this one: tasks that share it are one question
            in other words.
        official: Spider's official execution accuracy of an answer in SQL; None if there is none.
        test_suite: whether an answer in SQL is right on variants of the database, too; None if that was not tried.
        fault: how the policy failed, if it did; the last step is then a blank answer in its name.
        failed_tries: what became of earlier tries at this episode, which the server or a connection failed.
    """

    policy: str
    dataset: str
    split: str
    task_id: str
    db_id: str
    question: str
    seed: int | None
    num_tasks: int | None
    trajectory: list[Step] = field(default_factory=list)
    correct: bool = False
    episode_return: float = 0.0
    components: dict[str, float] = field(default_factory=dict)
    verdict: str | None = None
    truncated: bool = False
    answer_form: str = "value"
    hardness: str = ""
    answer_type: str = ""
    par: int | None = None
    twin_of: str = ""
    official: bool | None = None
    test_suite: bool | None = None
    index: int | None = None
    repeat: int = 0
    variant: int = 0
    policy_seed: int | None = None
    prompt: str | None = None
    fault: Fault | None = None
    failed_tries: list[Fault] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the trajectory as one line of JSON; ``steps`` counts them, ``return`` is the outcome return.

        The original's variant, 0, is not written, nor is a test suite that was not tried. Half a surrogate pair, which
        no UTF-8 file can hold, becomes ``?``, as it does on the server.
        """
        data = asdict(self)
        for name, usual in _UNWRITTEN.items():
            if data[name] == usual:
                del data[name]
        data["return"] = data.pop("episode_return")
        return clean(json.dumps(data | {"steps": len(self.trajectory)}, ensure_ascii=False))

    @classmethod
    def from_json(cls, line: str) -> "Trajectory":
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is no trajectory; the message says what is wrong.
        """
        try:
            data = json.loads(line)
            data["episode_return"] = data.pop("return")
            steps = data.pop("steps")
            data["trajectory"] = [Step(**step) for step in data["trajectory"]]
            data["fault"] = Fault(**data["fault"]) if data["fault"] else None
            data["failed_tries"] = [Fault(**fault) for fault in data.get("failed_tries", ())]
            data |= {name: usual for name, usual in _UNWRITTEN.items() if data.get(name) is None}
            read = cls(**data)
            if type(read.variant) is not int:
                raise TypeError(f"variant is {read.variant!r}")
            if steps != len(read.trajectory):
                raise TypeError(f"steps is {steps}, but {len(read.trajectory)} are recorded")
            for step in read.trajectory:
                if not all(isinstance(text, str) for text in (step.action_type, step.argument, step.result)):
                    raise TypeError("an action and its result are text")
            return read
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"this line is no trajectory: {error}") from None
