"""A department is told in Chinese and in English, and nothing of the inside of a program."""

import re
from string import Formatter

import pytest

from minsheng.reasons import CHINESE, ENGLISH, Refusal, catalogue, words_of
from minsheng.settings import PROJECT_ROOT
from tests.minsheng.desk import PAYMENT, PAYMENT_HEADER, WANG, ZHANG, Desk

GOOD = f"{PAYMENT_HEADER}{ZHANG},张三,低保金,500\n"
USED = re.compile(r'(?:Refusal|UnreadableFile|UnknownUnit|words_of)\(\s*"([a-z_]+)"')
CHOSEN = re.compile(r'UnreadableFile\(\s*"([a-z_]+)" if \w+(?:\.\w+)? else "([a-z_]+)"')
INSIDE = re.compile(r"<[a-z ]+>|\{'|expectations/|Traceback|Error|None")


def names_in_the_code() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "minsheng").rglob("*.py")]
    chosen = {name for text in texts for pair in CHOSEN.findall(text) for name in pair}
    return chosen | {name for text in texts for name in USED.findall(text)}


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_the_catalogue_has_the_reasons_of_the_code_and_no_others() -> None:
    assert names_in_the_code() == set(catalogue())


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_a_reason_says_the_same_in_both_languages(name: str) -> None:
    chinese, english = catalogue()[name]
    assert fields(chinese) >= fields(english) - {"header"}
    assert re.search("[\u4e00-\u9fff]", chinese) or name == "table_in_the_archive"
    assert not re.search("[\u4e00-\u9fff]", english)


def test_a_value_may_be_said_in_each_language() -> None:
    refusal = Refusal("folder_is_no_area", folder=("甲", "A"))
    assert "“甲”" in refusal.words[CHINESE]
    assert "folder A is" in refusal.words[ENGLISH] == str(refusal)
    inner = words_of("table_in_the_archive", member="a.csv", reason=refusal.words)
    assert inner == (f"压缩包中的a.csv：{refusal.words[0]}", f"a.csv in the archive: {refusal}")


@pytest.mark.parametrize(
    ("content", "sidecar", "chinese"),
    [
        ("", "", "文件是空的（0字节），请重新报送"),
        (PAYMENT_HEADER, "", "文件只有表头，没有数据"),
        (GOOD, "period: [", "说明文件2022-06.csv.yaml第1行格式有误"),
        (GOOD, "- 1", "没有名称和内容"),
        (GOOD, "rows: 7", "说明文件写明7行，实际读到1行"),
        (GOOD, "period: '2022'", "说明文件写明的所属期“2022”不是月份"),
        (
            GOOD.replace("发放金额", "备注"),
            "",
            "以第1行为表头，缺少以下各列：发放金额（发放金额 / ",
        ),
        (GOOD.replace("金额", "金额（元/季）"), "", "“发放金额”写明的单位是元/季"),
        (
            f"{PAYMENT_HEADER}{ZHANG},,低保金,-5\n{WANG},,低保金,1\n",
            "",
            "2行中只有0行合格（姓名未填：2行；发放金额小于0元：1行）",
        ),
    ],
)
def test_a_file_refused_whole_is_told_in_chinese_first(
    desk: Desk, content: str, sidecar: str, chinese: str
) -> None:
    receipt = desk.take(PAYMENT, "2022-06.csv", content, sidecar=sidecar)
    [letter] = desk.letters("civil_affairs")
    assert letter.startswith(f"2022-06.csv：{receipt.message_zh.partition('：')[2]}")
    assert chinese in letter.partition("\n")[0]
    assert receipt.message in letter
    assert not INSIDE.search(letter)


def test_what_a_program_says_of_a_file_is_for_the_engineer(desk: Desk) -> None:
    receipt = desk.take(PAYMENT, "2022-06.zip", b"PK\x03\x04 broken")
    assert "压缩包无法打开" in receipt.message_zh
    assert receipt.message == "2022-06.zip: the archive cannot be opened; pack it again as .zip"
    assert "zip" in receipt.advice
