"""Settings come from `nitro.configure`, else the environment, else their defaults."""

import dataclasses
from collections.abc import Iterator

import pytest

import nitro
from nitro import ConfigurationError, Settings
from nitro.config import _READERS, _Given, shown_url


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names = [field.name for field in dataclasses.fields(Settings)]
    for name in names:
        monkeypatch.delenv(f"NITRO_{name.upper()}", raising=False)
    nitro.configure(**dict.fromkeys(names))
    yield
    monkeypatch.undo()
    nitro.configure(**dict.fromkeys(names))


def test_every_setting_can_be_given_in_each_way() -> None:
    names = {field.name for field in dataclasses.fields(Settings)}
    assert names == _READERS.keys() == _Given.__annotations__.keys()


def test_the_default_is_a_file_of_sqlite() -> None:
    assert nitro.settings() == Settings()
    assert nitro.settings().sql_url == "sqlite:///nitro.db"


def test_the_environment_wins_over_the_default_and_configure_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_SQL_URL", "sqlite:///environment.db")
    monkeypatch.setenv("NITRO_SQL_POOL_SIZE", " 3 ")
    monkeypatch.setenv("NITRO_SQL_ECHO", "yes")
    monkeypatch.setenv("NITRO_SQL_POOL_TIMEOUT", "2.5")
    monkeypatch.setenv("NITRO_SQL_CONNECT_TIMEOUT", "")
    assert nitro.configure() == Settings(
        sql_url="sqlite:///environment.db", sql_pool_size=3, sql_echo=True, sql_pool_timeout=2.5
    )
    assert nitro.configure(sql_url="sqlite:///told.db", sql_pool_size=4).sql_url == "sqlite:///told.db"
    assert nitro.settings().sql_pool_size == 4
    assert nitro.settings() is nitro.settings()
    assert nitro.configure(sql_url=None).sql_url == "sqlite:///environment.db"
    assert nitro.settings().sql_pool_size == 4


def test_settings_cannot_be_changed_past_configure() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        nitro.settings().sql_pool_size = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sql_ulr": "sqlite://"}, r"there is no setting 'sql_ulr'; did you mean 'sql_url'\?"),
        ({"colour": "red"}, "there is no setting 'colour'; there are sql_url, sql_pool_size, "),
        ({"sql_pool_size": 0}, "sql_pool_size=0: must be a whole number of at least 1"),
        ({"sql_pool_size": "ten"}, "sql_pool_size='ten': must be a whole number"),
        ({"sql_pool_size": True}, "sql_pool_size=True: must be a whole number"),
        ({"sql_pool_size": 2.0}, "sql_pool_size=2.0: must be a whole number"),
        ({"sql_pool_timeout": -1}, "sql_pool_timeout=-1: must be a number of seconds above 0"),
        ({"sql_pool_timeout": "soon"}, "sql_pool_timeout='soon': must be a number of seconds"),
        ({"sql_connect_timeout": float("nan")}, "sql_connect_timeout=nan: must be a number of seconds"),
        ({"sql_connect_timeout": 10**400}, "must be a number of seconds"),
        ({"sql_echo": "loud"}, "sql_echo='loud': must be one of 1, true, yes, on, 0"),
        ({"sql_url": "shop.db"}, r"sql_url=\.\.\.: a URL is a text such as 'sqlite:///shop.db'"),
        ({"sql_url": 5}, r"sql_url=\.\.\.: a URL is a text"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_nothing_is_changed(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        nitro.configure(sql_echo=True, **given) if "sql_echo" not in given else nitro.configure(**given)
    assert nitro.settings() == Settings()


def test_a_value_of_the_environment_that_cannot_be_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_SQL_POOL_SIZE", "many")
    with pytest.raises(ConfigurationError, match="NITRO_SQL_POOL_SIZE='many': must be a whole number of at least 1"):
        nitro.configure()
    monkeypatch.setenv("NITRO_SQL_POOL_SIZE", "2")
    monkeypatch.setenv("NITRO_SQL_URL", "s3cret")
    with pytest.raises(ConfigurationError, match="NITRO_SQL_URL") as error:
        nitro.configure()
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///nitro.db", "sqlite:///nitro.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:////home/a@b/c.db", "sqlite:////home/a@b/c.db"),
        ("postgresql://host/name", "postgresql://host/name"),
        ("postgresql://user@host/name", "postgresql://user@host/name"),
        ("postgresql://user:s3cret@host:1/name?sslpassword=s3cret", "postgresql://user@host:1/name"),
        ("postgresql+psycopg://user:s3cret@host/name", "postgresql+psycopg://user@host/name"),
        ("postgresql://user:s3@cret@host/name", "postgresql://user@host/name"),
        ("postgresql://user:s3/cret@host/name", "postgresql://user@host/name"),
        ("postgresql://user:s3?cret@host/name", "postgresql://user@host/name"),
        ("postgresql://user:/s3cret@host/name", "postgresql://user@host/name"),
        ("postgresql://:s3cret@host/name", "postgresql://@host/name"),
        ("postgresql:///name?host=/run&password=s3cret@x", "postgresql:///name"),
        ("postgresql://user:s3cret\n@host/name", "postgresql://user@host/name"),
        ("s3cret", "..."),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown
    assert "cret" not in repr(Settings(sql_url=url))
