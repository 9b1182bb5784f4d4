"""Senders: the folder of a file names an area, by its code or its name, or a unit that is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import cached_property

from minsheng import policies
from minsheng.reasons import Refusal, Words
from minsheng.settings import Settings


@dataclass(frozen=True)
class Areas:
    """The areas that a sender's name is held against; read where a file has a sender."""

    settings: Settings

    @cached_property
    def codes(self) -> frozenset[str]:
        return policies.area_codes(self.settings)

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[str]]:
        return policies.areas_by_name(self.settings)

    def code_of(self, name: str) -> str:
        """The code of the one area of that name; raises Refusal if several have it."""
        codes = self.by_name[name]
        if len(codes) > 1:
            raise Refusal("folder_is_several_areas", folder=name, codes="、".join(codes))
        return codes[0]

    def require_known(self, sender: str) -> None:
        """Raise Refusal for a code of no area, and for a text that seems to mean an area.

        Either would be waited for in every later period, and a unit in every county.
        """
        if sender in self.codes:
            return
        if sender.isdigit():
            raise Refusal("folder_is_no_area", folder=sender)
        if self._means_an_area(sender):
            raise Refusal(
                "folder_is_no_name_of_an_area", folder=sender, nearest=self._nearest(sender)
            )

    def _means_an_area(self, sender: str) -> bool:
        endings, refused_from, copy_marks = policies.sender_rules(self.settings)
        bare = "".join(sender.split())
        return (
            bare.endswith(endings)
            or self._is_copy_of_an_area(bare, copy_marks)
            or any(
                name not in bare and SequenceMatcher(None, bare, name).ratio() >= refused_from
                for name in self.by_name
            )
        )

    def _is_copy_of_an_area(self, sender: str, copy_marks: Sequence[str]) -> bool:
        """Whether an area's name or code is left without marks of a copy, numbers and signs."""
        text = sender.lower()
        for mark in copy_marks:
            text = text.replace(mark, "")
        letters = "".join(each for each in text if each.isalpha())
        digits = "".join(each for each in text if each.isdecimal())
        return letters in self.by_name or (
            not letters and any(digits.startswith(code) for code in self.codes)
        )

    def _nearest(self, sender: str) -> Words:
        """The known name that is most like it, as part of a sentence; empty if none is."""
        close = get_close_matches(sender, self.by_name, n=1)
        if not close:
            return "", ""
        return f"，与之最接近的是“{close[0]}”", f" (the nearest is {close[0]})"
