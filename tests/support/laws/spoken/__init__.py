"""What is particular to each wire language in the laws: one module per dialect, found by its name.

Each has a `SPOKEN`: how the vendor's own client reads answers, how providers' habits differ, what the sentences of
the poverty stand for, and what an error looks like.
"""

from importlib import import_module

from relay.domain.chat import DialectName
from tests.support.laws.spoken.particulars import Spoken


def spoken(name: DialectName) -> Spoken:
    """What is particular to this dialect: `openai.chat` is in `openai_chat`."""
    found = import_module(f"{__name__}.{name.replace('.', '_')}").SPOKEN
    assert isinstance(found, Spoken)
    return found
