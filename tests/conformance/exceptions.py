"""tests/conformance/exceptions - why a case of a published suite does not go as its data says."""

import dataclasses


@dataclasses.dataclass
class Deviation:
    is_later: bool
    reason: str


def later(feature):
    """It needs something that is not built yet."""
    return Deviation(True, feature)


def contradicts(where, why):
    """We do otherwise on purpose: where is the rule that we follow instead."""
    return Deviation(False, f"{where}: {why}")
