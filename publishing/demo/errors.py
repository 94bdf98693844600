"""What may keep the demo from going on; each message says how to go on."""


class DemoError(Exception):
    """The base of them."""


class AlreadyRunningError(DemoError):
    """Another demo or dev runs on this DATA_DIR."""


class PortTakenError(DemoError):
    """Another program listens on a port that is needed."""


class ChildEndedError(DemoError):
    """A child ended although nobody asked it to; the message holds the last lines of its log."""


class SilentSiteError(DemoError):
    """The site does not answer although its process runs."""


class StandstillError(DemoError):
    """Nothing has happened for a long time, and nothing says why."""


class RefusedBriefError(DemoError):
    """The platform did not take a sample brief."""


class RefusedCostError(DemoError):
    """It would cost money, and nobody agreed to that."""


class PaidAgainError(DemoError):
    """A brief that was posted again was not absorbed."""
