"""Settings: defaults, one variable for each, and what a bad value is told."""

import dataclasses
from pathlib import Path

import pytest

from sql_env.server.errors import DataError
from sql_env.server.settings import PACKAGED_DATA, Settings, variable

FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
DEFAULTS = {
    "host": "127.0.0.1",
    "port": 8000,
    "data": PACKAGED_DATA,
    "dataset": "",
    "split": "train",
    "max_steps": 15,
    "sample_rows": 5,
    "result_rows": 20,
    "result_chars": 2000,
    "answer_chars": 20_000,
    "query_vm_steps": 30_000_000,
    "query_seconds": 2.0,
    "query_memory": 32 * 2**20,
    "max_sessions": 128,
}
NUMERIC = [name for name, field in FIELDS.items() if type(field.default) in (int, float)]


@pytest.mark.parametrize("name", DEFAULTS)
def test_default(name: str) -> None:
    assert getattr(Settings(), name) == DEFAULTS[name]


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environ({}) == Settings()
    assert Settings.from_environ({"SQL_ENV_NO_SUCH": "1", "MAX_STEPS": "3"}) == Settings()


def test_variable_names() -> None:
    names = {name: variable(field) for name, field in FIELDS.items()}
    assert names["host"] == "HOST"
    assert (names["port"], names["log_level"]) == ("PORT", "LOG_LEVEL")
    assert all(v == f"SQL_ENV_{n.upper()}" for n, v in names.items() if n not in ("host", "port", "log_level"))


@pytest.mark.parametrize("name", FIELDS)
def test_each_variable_is_read_and_keeps_its_type(name: str) -> None:
    field = FIELDS[name]
    whole = str(field.metadata["most"] or 2_000_000)
    text = {int: whole, float: "12.5"}.get(type(field.default), ("elsewhere", *field.metadata["choices"])[-1])
    value = getattr(Settings.from_environ({variable(field): text}), name)
    assert type(value) is type(field.default)
    assert value == (Path(text) if name == "data" else type(field.default)(text))
    assert value != field.default


def test_more_than_the_most_is_refused_by_name() -> None:
    bounded = [field for field in FIELDS.values() if field.metadata["most"] is not None]
    assert [field.name for field in bounded] == ["port"]
    for field in bounded:
        with pytest.raises(DataError, match=f"{variable(field)}='65536': must be at most 65535"):
            Settings.from_environ({variable(field): str(int(field.metadata["most"]) + 1)})


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("text", ["", "many", "1.5.2", "0x10"])
def test_what_is_no_number_is_refused_by_name_and_unit(name: str, text: str) -> None:
    field = FIELDS[name]
    with pytest.raises(DataError) as error:
        Settings.from_environ({variable(field): text})
    assert variable(field) in str(error.value)
    assert repr(text) in str(error.value)
    assert field.metadata["unit"] in str(error.value)


@pytest.mark.parametrize("name", NUMERIC)
def test_least_value_is_taken_and_less_is_refused(name: str) -> None:
    field = FIELDS[name]
    least, kind = field.metadata["least"], type(field.default)
    assert least is not None
    assert getattr(Settings.from_environ({variable(field): str(kind(least))}), name) == least
    below = str(kind(least - 1)) if kind is int or least == 0 else str(least / 2)
    with pytest.raises(DataError, match="must be at least") as error:
        Settings.from_environ({variable(field): below})
    assert str(error.value).startswith(f"{variable(field)}={below!r}")
    assert str(error.value).endswith(field.metadata["unit"])


@pytest.mark.parametrize("name", [n for n in NUMERIC if type(FIELDS[n].default) is float])
def test_nan_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=variable(FIELDS[name])):
        Settings.from_environ({variable(FIELDS[name]): "nan"})


def test_a_choice_is_one_of_its_names() -> None:
    assert Settings.from_environ({"SQL_ENV_REWARD_MODE": "shaped"}).reward_mode == "shaped"
    with pytest.raises(DataError, match="SQL_ENV_REWARD_MODE='dense': must be one of outcome, shaped"):
        Settings.from_environ({"SQL_ENV_REWARD_MODE": "dense"})


def test_integers_have_no_fraction() -> None:
    with pytest.raises(DataError, match=r"SQL_ENV_MAX_STEPS='15\.5': expected int"):
        Settings.from_environ({"SQL_ENV_MAX_STEPS": "15.5"})


def test_settings_are_frozen_and_each_has_unit_and_sentence() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().max_steps = 3  # type: ignore[misc]
    for field in FIELDS.values():
        assert field.metadata["unit"]
        assert field.metadata["sentence"].endswith(".")
