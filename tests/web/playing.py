"""What a visitor does on the page, and what is then seen."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from sql_env.server.questions import Question, gold_answer


@dataclass
class Player:
    """One visitor at one page."""

    page: Page

    def choose(self, **choice: str) -> None:
        """Choose in the form, in its order, and start."""
        for name in ("dataset", "split", "db_id", "hardness", "answer_form"):
            if name in choice:
                self.page.select_option(f"#choose [name={name}]", choice[name])
        self.page.click("#choose button")
        expect(self.page.locator("#episode")).to_be_visible()

    def task(self) -> str:
        """Return the id of the task that is played."""
        return self.page.inner_text("#origin").rsplit(" · ", 1)[1]

    def table(self, name: str) -> Locator:
        """Return a table's place in the list."""
        return self.page.locator("#tables > li", has=self.page.locator(f".name:text-is('{name}')"))

    def describe(self, name: str) -> None:
        """Press a table's button, and wait for its columns."""
        self.table(name).get_by_role("button", name="Describe").click()
        expect(self.table(name).locator(".columns")).to_be_visible()

    def sample(self, name: str) -> None:
        """Press a table's other button, and wait for the step."""
        with self.a_step():
            self.table(name).get_by_role("button", name="Sample").click()

    def query(self, sql: str) -> None:
        """Write a statement and run it."""
        self.page.fill("#sql", sql)
        with self.a_step():
            self.page.get_by_role("button", name="Run").click()

    def answer(self, text: str) -> None:
        """Write an answer and give it."""
        self.page.fill("#said", text)
        self.page.get_by_role("button", name="Answer and end").click()
        expect(self.page.locator("#end")).to_be_visible(timeout=60_000)  # variants may have to be made

    def a_step(self) -> "_Step":
        """Wait, after a block, until one more step is shown."""
        return _Step(self.page)

    def last(self) -> Locator:
        """Return the newest step."""
        return self.page.locator("#steps > li").first

    def win(self, question: Question) -> None:
        """Answer with the gold, which the test knows."""
        self.answer(gold_answer(question.gold_rows))
        expect(self.page.locator("#verdict")).to_have_text("✓ Correct")


class _Step:
    def __init__(self, page: Page) -> None:
        self._page = page

    def __enter__(self) -> None:
        self._before = self._page.locator("#steps > li").count()

    def __exit__(self, kind: object, *_rest: object) -> None:
        if kind is None:
            expect(self._page.locator("#steps > li")).to_have_count(self._before + 1)
