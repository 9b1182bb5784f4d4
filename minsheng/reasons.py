"""Why a file is not taken, in the words of its department: Chinese and English, by a name.

The words stand in `expectations/reasons.yaml`. What only an engineer can use is the advice beside
them.
"""

from functools import cache

from minsheng.documents import DocumentFault, read_document
from minsheng.settings import PROJECT_ROOT

Words = tuple[str, str]
"""The same in Chinese and in English."""
CHINESE, ENGLISH = 0, 1

CATALOGUE = PROJECT_ROOT / "expectations" / "reasons.yaml"


class Refusal(ValueError):
    """Why a file is not taken: `words` for its department, `advice` for the engineer."""

    def __init__(self, name: str, /, advice: str = "", **values: str | float | Words) -> None:
        self.name = name
        self.advice = advice
        self.words = words_of(name, **values)
        super().__init__(self.words[ENGLISH])


def words_of(name: str, /, **values: str | float | Words) -> Words:
    """The reason `name` in both languages; a value that is a pair says its own in each."""
    chinese, english = (
        template.format(
            **{
                key: each[language] if isinstance(each, tuple) else each
                for key, each in values.items()
            }
        )
        for language, template in enumerate(catalogue()[name])
    )
    return chinese, english


@cache
def catalogue() -> dict[str, Words]:
    """Every reason's template in both languages."""
    listed = read_document(CATALOGUE)
    if not isinstance(listed, dict):
        raise DocumentFault(f"{CATALOGUE}: expected names and words")
    return {str(name): (each["zh"], each["en"]) for name, each in listed.items()}
