"""Names sound alike whoever writes them; what has no sound stands for itself."""

from collections.abc import Iterator, Sequence

import duckdb
import pypinyin
import pytest
from pypinyin.constants import PINYIN_DICT

from minsheng import pinyin


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        pinyin.keep_readings(opened)
        yield opened


def sounds(connection: duckdb.DuckDBPyConnection, names: Sequence[str | None]) -> dict[str, str]:
    """The pinyin of names, which are given once each."""
    connection.execute(
        "create or replace temp table name as select unnest(?::varchar[]) as written", [names]
    )
    return dict(
        connection.execute(pinyin.pinyin_select("select written from name", "written")).fetchall()
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("王小伟", "王晓玮"),
        ("陈丽华", "陈莉花"),  # without tones
        ("吕绿女", "闾律钕"),
        ("张燕", "章雁"),
    ],
)
def test_names_of_one_sound_have_one_pinyin(
    connection: duckdb.DuckDBPyConnection, one: str, other: str
) -> None:
    found = sounds(connection, [one, other])
    assert found[one] == found[other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("王小伟", "王伟小"),
        ("王小伟", "王伟"),
        ("路明", "绿明"),  # u and ü are two sounds
        ("西安", "先"),  # syllables are kept apart
        ("方红", "房洪明"),
    ],
)
def test_names_of_two_sounds_have_two(
    connection: duckdb.DuckDBPyConnection, one: str, other: str
) -> None:
    found = sounds(connection, [one, other])
    assert found[one] != found[other]


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("单雄", "dan xiong"),  # read shan as a surname
        ("曾明", "ceng ming"),  # read zeng
        ("解明", "jie ming"),  # read xie
        ("仇明", "chou ming"),  # read qiu
        ("尉迟明", "wei chi ming"),  # read yu chi
    ],
)
def test_a_surname_of_several_readings_has_one_and_the_same_wherever_it_stands(
    connection: duckdb.DuckDBPyConnection, name: str, sound: str
) -> None:
    turned = name[1:] + name[0]
    found = sounds(connection, [name, turned])
    assert found[name] == sound
    assert sorted(found[turned].split()) == sorted(sound.split())


def test_the_dot_of_a_minority_name_stands_for_itself(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = sounds(connection, ["买买提·艾力", "麦麦提·艾力", "买买提艾力"])
    assert found["买买提·艾力"] == "mai mai ti · ai li" == found["麦麦提·艾力"]
    assert found["买买提艾力"] == "mai mai ti ai li"


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("李㛃", "li jie"),  # of the first extension of Unicode
        ("龘", "da"),
        ("𠅤", "xi"),  # beyond the basic plane
        ("𬭚", "chun"),
        ("𠮷田", "𠮷 tian"),  # without a known reading
        ("李\ue000", "li \ue000"),  # a sender's own character
        ("Anna Li", "A n n a   L i"),
        ("陈1", "chen 1"),
        ("", ""),
    ],
)
def test_a_character_without_a_reading_stands_for_itself(
    connection: duckdb.DuckDBPyConnection, name: str, sound: str
) -> None:
    assert sounds(connection, [name]) == {name: sound}


def test_a_name_that_is_unknown_has_no_sound(connection: duckdb.DuckDBPyConnection) -> None:
    assert sounds(connection, [None, "王"]) == {"王": "wang"}
    assert sounds(connection, [None]) == {}


def test_the_order_of_characters_is_kept_in_a_long_name(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    name = "阿依古丽·吐尔逊·买买提·艾力" * 20
    letters = sounds(connection, sorted(set(name)))
    assert sounds(connection, [name]) == {name: " ".join(letters[letter] for letter in name)}


def test_every_reading_is_the_package_s_first_without_its_tone(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = dict(connection.execute(f"select character, syllable from {pinyin.TABLE}").fetchall())
    assert len(found) == len(PINYIN_DICT) > 40_000
    common = [chr(code) for code in range(0x4E00, 0xA000) if code in PINYIN_DICT]
    expected = pypinyin.lazy_pinyin(common, v_to_u=True)
    differing = [
        character
        for character, sound in zip(common, expected, strict=True)
        if found[character] != sound
    ]
    assert differing == []


def test_a_connection_may_ask_again_and_the_readings_are_made_once_a_process() -> None:
    with duckdb.connect() as one, duckdb.connect() as other:
        for connection in (one, other, one):
            pinyin.keep_readings(connection)
            assert sounds(connection, ["王"]) == {"王": "wang"}
    assert pinyin._readings.cache_info().misses == 1
