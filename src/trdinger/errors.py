"""What can go wrong, by who can act on it. Imports nothing of ours.

    TrdingerError                 70  ours to mend
      UsageError                   2  the command's arguments
      SettingsError                3  a setting or .env
      SourceError                  4  the SQLite file
        SourceDamaged              4  pages of it cannot be read
      TargetError                  5  the server or database
        EngineBusy                 5  somebody else has the turn
        TargetRefused              5  it holds something that we will not touch
        MissingCapability          5  it cannot do what was asked
        Transient                  5  worth a retry as it is
      ValuesDiffer                 6  a verification found differences
      ValuesDoNotFit               7  values that the target's schema cannot hold; nothing was written
        RowsSetAside               7  all others were, and are proven
      ArchiveError                 8  the archive: its folder, a file of it, its manifest
      Findings                     9  trdinger db doctor found something
      Interrupted                130  Ctrl-C

A message says what happened and where; `hint` says what to do next. Neither
ever holds a password.
"""

from __future__ import annotations


class TrdingerError(Exception):
    """The base of every error that this package raises on purpose."""

    exit_code = 70
    audience = "a fault of this program"
    told = False
    """Whether the answer on stdout, for people or as JSON, says it already."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self)._rebuild, (self.message, self.hint, self.__dict__))

    @classmethod
    def _rebuild(cls, message: str, hint: str | None, state: dict[str, object]) -> TrdingerError:
        error = cls.__new__(cls)
        Exception.__init__(error, message)
        error.message, error.hint = message, hint
        error.__dict__.update(state)
        return error

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(TrdingerError):
    """The arguments do not go together."""

    exit_code = 2
    audience = "the command's arguments"


class SettingsError(TrdingerError):
    """A setting, in the environment or in .env, is missing or wrong."""

    exit_code = 3
    audience = "a setting or .env"


class SourceError(TrdingerError):
    """The SQLite file is missing, damaged, locked, or not what it should be."""

    exit_code = 4
    audience = "the SQLite file"


class SourceDamaged(SourceError):
    """SQLite cannot read some of the file's pages, or finds that they contradict each other.

    said: SQLite's own words.
    """

    def __init__(self, message: str, *, said: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.said = said


class TargetError(TrdingerError):
    """The server could not be reached, or refused."""

    exit_code = 5
    audience = "the target database"

    def __init__(self, message: str, *, hint: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class EngineBusy(TargetError):
    """Another process holds what can be held only once (a data directory, a move, a turn)."""


class TargetRefused(TargetError):
    """The target holds something that must not be touched without being told so."""


class MissingCapability(TargetError):
    """The server cannot do what is needed; skipping it would lose something."""


class Transient(TargetError):
    """The connection or the transaction was lost; the same step may be tried again."""


class ValuesDiffer(TrdingerError):
    """Source and target do not hold the same values."""

    exit_code = 6
    audience = "values that differ"
    told = True


class ValuesDoNotFit(TrdingerError):
    """The source holds values that the target's schema cannot hold; nothing was written."""

    exit_code = 7
    audience = "values that do not fit"


class RowsSetAside(ValuesDoNotFit):
    """All was done and proven but for rows that do not fit, which are kept in a rejects file."""

    told = True


class ArchiveError(TrdingerError):
    """The archive's folder cannot be used, or is not as it was written; the database lost nothing by it."""

    exit_code = 8
    audience = "the archive"


class Findings(TrdingerError):
    """Something is wrong with a database, or will be; each finding says how it is mended."""

    exit_code = 9
    audience = "what the doctor found"
    told = True


class Interrupted(TrdingerError):
    """The user pressed Ctrl-C; what was committed stays and the same command goes on."""

    exit_code = 130
    audience = "an interruption"


EXIT_CODES: dict[int, str] = {0: "done, and proven where proof was asked for"} | {
    kind.exit_code: kind.audience
    for kind in (
        UsageError,
        SettingsError,
        SourceError,
        TargetError,
        ValuesDiffer,
        ValuesDoNotFit,
        ArchiveError,
        Findings,
        TrdingerError,
        Interrupted,
    )
}
