"""A law: a statement, examples of it, and a check that fails where it does not hold."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

_SEARCHED = 300
"""The examples to look among for one that breaks a law that is known to be broken: the profile's may miss it."""

_PATIENCE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


@dataclass(frozen=True, slots=True)
class Law[Subject, Example]:
    """`check` raises for an example that breaks the statement about the subject."""

    statement: str
    examples: Callable[[Subject], st.SearchStrategy[Example]]
    check: Callable[[Subject, Example], None]

    def __str__(self) -> str:
        return self.statement.replace(" ", "_")

    def verify(self, subject: Subject, *, shrink: bool = True) -> None:
        """Put it to the subject with as many examples as the profile says. Raises what `check` raises.

        Without `shrink` the first example that breaks it is good enough, and is looked for among more.
        """
        count = settings().max_examples if shrink else max(_SEARCHED, settings().max_examples)
        phases = [phase for phase in settings().phases if shrink or phase is Phase.generate]

        @settings(
            max_examples=count,
            suppress_health_check=_PATIENCE,
            phases=phases,
            report_multiple_bugs=shrink,
        )
        @given(self.examples(subject))
        def holds(example: Example) -> None:
            self.check(subject, example)

        holds()
