"""tests/conformance/exceptions - why a case of a published suite does not go as its data says."""

import dataclasses


@dataclasses.dataclass
class Deviation:
    is_later: bool
    reason: str
    is_own_form: bool = False


def later(feature):
    """It needs something that is not built yet."""
    return Deviation(True, feature)


def contradicts(where, why):
    """We do otherwise on purpose: where is the rule that we follow instead."""
    return Deviation(False, f"{where}: {why}")


def own_form(what):
    """It is about output, options or texts that are the other program's own."""
    return Deviation(False, what, True)
