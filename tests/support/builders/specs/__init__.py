"""Specs that obey every rule of the API and specs that break one: one table for models and API servers."""

from typing import Final

from tests.support.builders.specs import budgets, clients, credentials, routes, rules, targets
from tests.support.builders.specs.case import Case

_TABLES: Final = (budgets, routes, targets, rules, credentials, clients)
VALID: Final[tuple[Case, ...]] = tuple(case for table in _TABLES for case in table.VALID)
INVALID: Final[tuple[Case, ...]] = tuple(case for table in _TABLES for case in table.INVALID)
