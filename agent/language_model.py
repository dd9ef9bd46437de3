"""A language model as a policy: it reads what the environment says and replies with one action at a time.

A reply that holds no action that can be read is sent to the environment as ``UNREADABLE``: it costs a step like any
wrong action, and the model is told what was wrong. Nothing is asked twice for free. Where a prompt does not fit the
model's context by our estimate or by the endpoint's word, the oldest results make room, and the notes say so. Where
an endpoint cuts a prompt without saying so, the notes say that too.

An episode depends on no other: whatever is learnt of an endpoint's tokens is forgotten when the next one begins. So
an endpoint that always gives the same reply to a request gives the same trajectories, however many are played at once.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sql_env.agent import prompts
from sql_env.agent.completions import Dialect, Reply
from sql_env.agent.conversation import Conversation, Demonstration, Turn, length
from sql_env.agent.endpoint import Endpoint, Render
from sql_env.agent.refusals import ContextError, UnparsedError
from sql_env.agent.replies import LONGEST_REPLY, SEVERAL_ACTIONS, parse_reply, read_call, without_thoughts
from sql_env.agent.rollout import FORFEIT
from sql_env.models import SQLAction, SQLObservation

logger = logging.getLogger(__name__)

UNREADABLE = "UNREADABLE"
SHOWN_CHARS = 200
TRIES = 12
"""How often a request is made shorter after the endpoint has called it too long."""
TOKENS_PER_CHAR = 0.5
"""Assumed until the endpoint has counted: more than English, SQL and figures have with any usual tokenizer."""
FEWEST_TOKENS_PER_CHAR, MOST_TOKENS_PER_CHAR = 0.05, 2.0
"""What an endpoint's count can teach, whatever it says."""
BELIEVED_TOKENS_PER_CHAR, BELIEVED_TOKENS = 8, 10_000
"""A larger count than so many for each character, and so many beside them, is no count of this prompt."""
CAUTION = 1.1
TOOLS_CHARS = 1_500
"""What the tools' definitions cost, in characters; chat templates write them in different ways."""

CUT = "reply was cut at max_tokens"
FROM_TEXT = "action read from text, no tool call"
UNPARSED = "endpoint could not read the tool call"
NOTHING_READ = "no action could be read"
DOUBTFUL = "prompt may be longer than the context: nothing was left to be removed"
TRUNCATED = (
    "WARNING: the endpoint counts no more prompt tokens than before, so it cuts prompts silently: raise its context"
)


class Completer(Protocol):
    """What replies: an endpoint (``ChatClient``), or a model in this process (``LocalModel``)."""

    endpoint: Endpoint

    @property
    def dialect(self) -> Dialect:
        """What it takes."""

    @property
    def context(self) -> int:
        """Tokens of prompt and reply together."""

    def complete(self, render: Render, seed: int | None, answer_form: str, max_tokens: int | None = None) -> Reply:
        """Ask for one reply; see ``ChatClient.complete``."""


class LanguageModelPolicy:
    """Plays with a language model. Make one for each thread; they share the client.

    Args:
        client: asks the endpoint.
        demonstrations: episodes to be shown as examples.
    """

    prompt = prompts.PROMPT_VERSION

    def __init__(self, client: Completer, demonstrations: Sequence[Demonstration] = (), *, stops: bool = False) -> None:
        self.name = f"llm:{client.endpoint.model}"
        self._client = client
        self._demonstrations = tuple(demonstrations)
        self._stops = stops  # at a reply without a tool call, as TRL's rollouts do

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode.

        Raises:
            ValueError: the demonstrations answer in the other form, or come from this database.
        """
        form, database = observation.metadata["answer_form"], observation.metadata["db_id"]
        for shown in self._demonstrations:
            if shown.trajectory.answer_form != form:
                raise ValueError(f"a demonstration answers in the form {shown.trajectory.answer_form}, not {form}")
            if shown.trajectory.db_id == database:
                raise ValueError(f"a demonstration is about this episode's database, {database}")
        opening, budget = prompts.opening(observation), observation.budget_remaining
        self._talk = Conversation(form, opening, self._demonstrations, budget)
        self._seed = seed
        self._tokens_per_char = TOKENS_PER_CHAR
        self._most_chars = math.inf
        self._counted: tuple[int, int, Dialect] | None = None

    def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action.

        Raises:
            EndpointError: the endpoint fails or cannot be reached.
            ContextError: the endpoint says that the question alone does not fit the model's context.
            RequestError: the endpoint refuses the request.
        """
        self._hear(observation)
        try:
            reply, notes = self._ask()
        except UnparsedError as error:
            return self._unreadable(str(error))
        return self._read(reply, notes)

    def _ask(self) -> tuple[Reply, list[str]]:
        """Ask for a reply; return it and what is to be noted of its prompt."""
        removed = self._fit()
        for _ in range(TRIES):
            notes = [DOUBTFUL] if self._seems_too_long() else []
            try:
                reply = self._client.complete(self._talk.messages, self._seed, self._talk.answer_form)
            except ContextError as error:
                self._most_chars = 0.9 * self._chars(self._client.dialect)
                removed += self._make_room(str(error)) + self._fit()
                continue
            if removed:
                notes.append(f"{removed} old result{'s' if removed > 1 else ''} removed to fit the context")
            return self._counting(reply, removed, notes), notes
        raise ContextError(f"the endpoint still calls the prompt too long after {TRIES} tries to shorten it")

    def _hear(self, observation: SQLObservation) -> None:
        if not self._talk.turns:
            return
        turn = self._talk.turns[-1]
        turn.told = prompts.told_of(observation)
        if turn.action.action_type == UNREADABLE:
            correction = prompts.CORRECT_TOOLS if self._client.dialect.tools else prompts.CORRECT_TEXT
            turn.told = f"{turn.told}\n\n{correction}"

    # --- the context ---------------------------------------------------------------------------------------

    def _fit(self) -> int:
        """Remove old results until the prompt fits by our count, or none is left; return how many went.

        Our count is an estimate: what it calls too long when nothing is left is sent, for the endpoint to decide.
        """
        removed = 0
        while self._seems_too_long():
            try:
                removed += self._talk.make_room()
            except LookupError:
                break
        return removed

    def _seems_too_long(self) -> bool:
        room = self._client.context - self._client.endpoint.max_tokens
        chars = self._chars(self._client.dialect)
        return chars > self._most_chars or self._tokens_per_char * CAUTION * chars > room

    def _make_room(self, reason: str) -> int:
        try:
            return self._talk.make_room()
        except LookupError as error:
            raise ContextError(
                f"{reason}; {error}: use fewer demonstrations, fewer max_tokens, or a model with a longer context"
            ) from None

    def _chars(self, dialect: Dialect) -> int:
        return length(self._talk.messages(dialect)) + (TOOLS_CHARS if dialect.tools else 0)

    def _counting(self, reply: Reply, removed: int, notes: list[str]) -> Reply:
        """Learn from the endpoint's count of the prompt, and note where it cannot have read all of it.

        Returns:
            The reply, without the count where that cannot be true.
        """
        counted, chars = reply.prompt_tokens, self._chars(reply.dialect)
        if not counted:
            return reply
        if counted > BELIEVED_TOKENS_PER_CHAR * chars + BELIEVED_TOKENS:
            return replace(reply, prompt_tokens=None)
        before, chars_before, dialect = self._counted or (0, 0, reply.dialect)
        if counted <= before and chars > chars_before and dialect == reply.dialect and not removed:
            notes.append(TRUNCATED)
            logger.warning("%s: %s", self.name, TRUNCATED)
        else:
            self._tokens_per_char = min(max(counted / chars, FEWEST_TOKENS_PER_CHAR), MOST_TOKENS_PER_CHAR)
        self._counted = (counted, chars, reply.dialect)
        return reply

    # --- the reply -----------------------------------------------------------------------------------------

    def _read(self, reply: Reply, notes: list[str]) -> SQLAction:
        stopped = self._stops and not reply.calls
        action, read_notes = (None, []) if stopped else _meaning(reply)
        notes += [*read_notes, *reply.dialect.notes, *([CUT] if reply.finish == "length" else [])]
        if action is None:
            shown = without_thoughts(reply.text) or reply.text
            action = FORFEIT if stopped else SQLAction(action_type=UNREADABLE, argument=shown[:SHOWN_CHARS])
            notes.append(NOTHING_READ)
        self._talk.turns.append(Turn.of(reply, action))
        recorded = {
            "reply": reply.text[:LONGEST_REPLY],
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "notes": notes,
        }
        return SQLAction(action_type=action.action_type, argument=action.argument, metadata=recorded)

    def _unreadable(self, said: str) -> SQLAction:
        """Send on what the endpoint said of a tool call that it could not read: the reply itself is not to be had."""
        action = SQLAction(action_type=UNREADABLE, argument=said[:SHOWN_CHARS])
        self._talk.turns.append(Turn(action, content="…"))
        recorded = {"reply": said, "notes": [UNPARSED, NOTHING_READ]}
        return action.model_copy(update={"metadata": recorded})


def _meaning(reply: Reply) -> tuple[SQLAction | None, list[str]]:
    """Return the action that a reply means, if any, and what is to be noted."""
    if reply.calls:
        first, *others = reply.calls
        read = read_call(first.name, first.arguments)
        return read.action, [*read.notes, *([SEVERAL_ACTIONS] if others else [])]
    action = parse_reply(reply.content)
    if action is None or (reply.finish == "length" and reply.content.rstrip().endswith(action.argument)):
        return None, []  # what was cut off is no action, as it is no JSON in a tool call
    return action, [*action.metadata.get("notes", []), *([FROM_TEXT] if reply.dialect.tools else [])]
