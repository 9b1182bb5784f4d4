"""The sound of a name: Hanyu pinyin without tones, one reading a character.

The readings are those of the package pypinyin. A character with several has its first, which is the
same for whoever writes it: names are compared by sound, not read aloud.
"""

from functools import cache
from unicodedata import normalize

import duckdb
import pyarrow as pa

TABLE = "pinyin_of_character"
TONES = "\u0304\u0301\u030c\u0300"
"""The marks of the four tones; the dots of ü are none."""


@cache
def _readings() -> pa.Table:
    from pypinyin.constants import PINYIN_DICT

    characters = [chr(code) for code in PINYIN_DICT]
    sounds = [_without_tone(readings.partition(",")[0]) for readings in PINYIN_DICT.values()]
    return pa.table({"character": characters, "syllable": sounds})


def _without_tone(syllable: str) -> str:
    letters = (each for each in normalize("NFD", syllable) if each not in TONES)
    return normalize("NFC", "".join(letters))


def keep_readings(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table that `pinyin_select` reads, once a connection."""
    connection.register("readings", _readings())
    connection.execute(f"create or replace temp table {TABLE} as select * from readings")
    connection.unregister("readings")


def pinyin_select(names: str, column: str) -> str:
    """The SELECT of `column` and `pinyin` of the names that the SELECT `names` gives once each.

    An unknown name has no row. A character without a reading stands for itself.
    """
    return f"""
        select {column}, string_agg(coalesce(syllable, letter), ' ' order by place) as pinyin
        from (
            select {column}, unnest(string_split({column}, '')) as letter,
                generate_subscripts(string_split({column}, ''), 1) as place
            from ({names})
        )
        left join {TABLE} on character = letter
        group by {column}
    """
