"""How a command says that it cannot do what was asked, and with which exit code."""

FAILED, WRONG_USAGE, NOT_FOUND, BAD_CONFIGURATION, NOT_REACHED, WITH_FINDINGS = 1, 2, 3, 4, 5, 6
"""Exit codes; 0 is done, 130 interrupted."""


class Refused(Exception):
    """A command that cannot do what was asked; `exit_code` as the documentation of exit codes says."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
