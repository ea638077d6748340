"""The databases that the suite runs on. Each can say why it is absent, start, and hand out an empty database.

    embedded   the project's own embedded TimescaleDB: Community edition, one session
    native     Debian trixie's PostgreSQL 17 and TimescaleDB (Apache edition): many sessions, a server
               whose own time zone is Asia/Tokyo and whose text sorts by en-US, on purpose
    url        whatever TRDINGER_TEST_DATABASE_URL names; databases are created there and dropped again

A test asks for `database` and meets all of them; `@pytest.mark.needs("compression")` leaves out, in the
server's own words, those that cannot do it. No engine downloads anything: `make native` prepares.
"""

from engines.base import EngineUnderTest
from engines.embedded import Embedded, laid
from engines.native import Native
from engines.url import ByUrl

__all__ = ["ByUrl", "Embedded", "EngineUnderTest", "Native", "laid"]
