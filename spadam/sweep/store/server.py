"""A PostgreSQL server that keeps sweeps: connections to it, and Optuna's storage there.

Sessions run in UTC: those in different zones would misjudge each other's times. A server that has gone without a word
is noticed within half a minute.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spadam.spec import InputError
from spadam.sweep.store.address import shown
from spadam.sweep.store.environment import STORAGE

if TYPE_CHECKING:
    import psycopg
    from optuna.storages import BaseStorage
    from sqlalchemy.engine import URL

_QUIET_SECONDS = 30

_SCHEMA_KEY = 0x5BADA111
"""The advisory lock of those who make tables: two that make them at once would be in each other's way."""


class Server:
    """The server at ``url``. Nothing is asked of it before a method is called."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self.shown = shown(url)

    def connect(self, application: str = "spadam") -> psycopg.Connection[Any]:
        """A connection, in UTC, to which the server gives the name ``application``.

        Raises what the driver raises, and :class:`InputError` where there is no driver.
        """
        try:
            import psycopg  # here, because it is an extra
        except ImportError:
            rule, remedy = "its driver must be installed", 'pip install "spadam[postgres]"'
            raise InputError("--storage", self.shown, rule, remedy) from None
        _, params = self._url.get_dialect()().create_connect_args(self._url)
        options = " ".join(filter(None, (params.pop("options", None), "-c timezone=UTC")))
        known = {
            "connect_timeout": 10,
            "keepalives_idle": _QUIET_SECONDS,
            "tcp_user_timeout": 1000 * _QUIET_SECONDS,
            **params,
        }
        return psycopg.connect(**known, options=options, application_name=application)

    def holds_tables(self) -> bool:
        """Whether studies are kept there. Raises :class:`InputError` unless it lets us in."""
        import psycopg

        try:
            with self.connect() as connection:
                return connection.execute("SELECT to_regclass('studies') IS NOT NULL").fetchone() == (True,)
        except psycopg.Error as error:
            raise self.refusal(error) from None

    def refusal(self, error: BaseException) -> InputError:
        """What to tell of a server that does not do what it must."""
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        rule, remedy = f"it must answer ({reason})", f"check address, server and password ({STORAGE} or --storage)"
        return InputError("--storage", self.shown, rule, remedy)

    @contextlib.contextmanager
    def open(self) -> Iterator[BaseStorage]:
        """Optuna's storage there, which is made if it is not there.

        Raises :class:`InputError` when it cannot be made, or is of another release.
        """
        import optuna
        import psycopg
        from sqlalchemy.exc import DatabaseError

        from spadam.sweep.store.closing import closing

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        creator = {"creator": self.connect, "pool_pre_ping": True}
        try:
            with self._alone_with_tables():
                storage = optuna.storages.RDBStorage("postgresql+psycopg://", engine_kwargs=creator)
        except (DatabaseError, psycopg.Error) as error:
            raise self.refusal(getattr(error, "orig", error)) from None
        except RuntimeError as error:  # tables of another release of Optuna's
            said = str(error).splitlines()[0]
            remedy = "see `optuna storage upgrade`, or give another database"
            raise InputError("--storage", self.shown, f"its tables must fit Optuna's ({said})", remedy) from None
        with closing(storage):
            yield optuna.storages.get_storage(storage)

    @contextlib.contextmanager
    def _alone_with_tables(self) -> Iterator[None]:
        with self.connect() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_SCHEMA_KEY,))
            yield
