"""How a name stands in a department's system when it is not as on the person's card.

What is written, the weight of each kind among the odd names of the persons to whom it can happen,
and why.  No source counts them; the weights are judgements.

From the keyboard, the copy or the telephone:

    homophone          0.26  the input method offers characters of one syllable, tones aside; the
                             commonest slip of who types a name by its sound
    look_alike         0.14  read from handwriting or recognised from a copy
    near_sound         0.07  heard by telephone or through a dialect: in and ing, n and l, z and zh,
                             huang and wang
    dropped_character  0.06  of names of three characters and more
    doubled_character  0.03
    traditional        0.06  a traditional or older form, as on papers of before and from abroad

Of someone or something else:

    name_of_relative   0.09  the head's or the account holder's name beside this person's number
    name_of_stranger   0.03  of whom stands one family above in the list: filled down, or slipped
                       by a row
    former_name        1.00  a childhood name or the one before marriage, of who had one (about one
                             in twelve); every department that knows it knows the same one
    surname_variant    0.80  of surnames that have two written forms: Xiao, Fu, Tong, Yan, Dai, Qiu
    rare_character     8.00  who has a character that the system lacks nearly always suffers this:
                             '?', an empty box, pinyin, its parts, a homophone
    dot_form           8.00  the dot of a minority name as another dot, a blank, or dropped
    note_added         0.03  what tells two namesakes of a village apart, or says who is the head

The right name in another form:

    blanks_inside      0.08  so that names of two characters align with those of three

Persons with a rare character or a dot have ten times the share of others.

The tables hold the characters of the demo's names, and what the kinds above make of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from minsheng.demo.identities import RARE_CHARACTERS
from minsheng.demo.reference import Flags, Floats, Integers


@dataclass(frozen=True)
class OddName:
    """A kind of odd name, its weight, and whether it also slips into single rows."""

    name: str
    weight: float
    is_slip: bool = False


NAME_ERRORS = (
    OddName("homophone", 0.26, is_slip=True),
    OddName("look_alike", 0.14, is_slip=True),
    OddName("near_sound", 0.07, is_slip=True),
    OddName("dropped_character", 0.06, is_slip=True),
    OddName("doubled_character", 0.03, is_slip=True),
    OddName("traditional", 0.06),
    OddName("name_of_relative", 0.09),
    OddName("name_of_stranger", 0.03),
    OddName("former_name", 1.00),
    OddName("surname_variant", 0.80),
    OddName("rare_character", 8.00),
    OddName("dot_form", 8.00),
    OddName("note_added", 0.03),
    OddName("blanks_inside", 0.08, is_slip=True),
)
NAME_ERROR_NAMES = tuple(kind.name for kind in NAME_ERRORS)
FRAGILE_FACTOR = 10.0
DOT = "·"
DOTS = ("•", "．", ".", "‧", "・", "●", "-", " ", "", "")
NOTES = ("(户主)", "（户主）", "（大）", "（小）", "1", "*")
SPACES = (" ", " ", "　", "  ")
ONLY_ONE_SHARE = 0.3
FAMILY_SHARE = 0.2
"""How often the surname is what is wrong; most clerks know the surnames of their place."""

HOMOPHONES = {
    "陈": "谌晨", "林": "霖琳", "黄": "皇簧", "张": "章", "李": "黎里", "王": "汪", "吴": "武伍",
    "周": "洲州", "徐": "许须", "叶": "业", "郑": "正", "杨": "扬阳", "刘": "柳留", "朱": "诸祝",
    "胡": "湖扈", "潘": "盘", "金": "靳今", "赵": "召兆", "蔡": "菜才", "夏": "厦下", "项": "向相",
    "董": "懂东", "谢": "解", "卢": "鲁陆", "曾": "增", "钟": "锺忠", "雷": "蕾", "蓝": "兰",
    "温": "文", "施": "石史", "苏": "酥", "缪": "苗", "包": "鲍", "翁": "瓮", "毛": "茅",
    "章": "张", "余": "于俞", "沈": "申审", "何": "贺河", "许": "徐", "孙": "荪", "高": "皋",
    "伟": "炜玮维卫", "芳": "方访", "秀": "绣修", "英": "瑛莹樱", "敏": "民闽", "静": "婧靖净",
    "丽": "莉利俐", "强": "蔷", "磊": "蕾雷", "军": "君钧均", "洋": "扬杨阳", "勇": "永咏",
    "艳": "燕彦雁", "杰": "洁捷", "娟": "鹃涓", "涛": "韬滔", "明": "铭鸣", "超": "朝潮",
    "兰": "岚蓝", "霞": "侠夏", "平": "萍苹", "刚": "钢岗", "桂": "贵", "香": "湘祥", "月": "悦越",
    "珍": "真贞", "玉": "钰育", "华": "花桦", "建": "健剑", "国": "果帼", "志": "智治",
    "永": "勇咏", "文": "雯闻", "光": "广", "德": "得", "福": "富付", "荣": "容蓉", "贵": "桂",
    "生": "升声胜", "春": "椿", "梅": "美枚", "凤": "奉风", "莲": "连廉", "海": "亥", "波": "博",
    "雪": "学", "晓": "小筱孝", "红": "洪宏虹", "云": "芸允", "飞": "菲非", "龙": "隆珑",
    "宝": "保堡", "仁": "人任", "义": "毅艺", "忠": "中钟", "诚": "成程", "松": "淞嵩",
    "柏": "百", "元": "园源媛", "庆": "清卿", "祥": "翔详", "和": "河荷", "安": "桉", "康": "慷",
    "宁": "凝", "佳": "嘉家加", "怡": "宜仪", "欣": "新心鑫", "思": "斯丝", "雨": "宇羽语",
    "子": "紫", "涵": "函晗韩", "梓": "子紫", "浩": "皓昊豪", "宇": "雨羽", "轩": "萱宣",
    "博": "波渤", "睿": "瑞锐", "可": "克珂", "馨": "鑫欣", "诗": "施师", "雅": "亚娅",
    "若": "箬", "曦": "希熙西",
    "阿": "啊", "依": "伊衣", "古": "谷", "买": "麦", "提": "题", "娜": "那", "尔": "儿而",
    "艾": "爱", "合": "何", "次": "茨", "卓": "桌", "玛": "马", "马": "玛码",
    "吐": "图土", "逊": "孙",
    "不": "布卜", "都": "度", "拉": "啦", "山": "珊", "亚": "娅", "孜": "则子", "巴": "吧",
    "特": "忒", "多": "朵", "吉": "及", "肉": "若", "司": "斯", "尼": "妮", "牙": "亚",
    "萧": "箫", "肖": "消", "傅": "富", "付": "富", "仝": "童", "同": "童", "阎": "严", "闫": "严",
    "戴": "带", "代": "带", "邱": "秋", "丘": "秋", "侯": "候", "范": "饭", "游": "尤", "招": "昭",
    "大": "达", "二": "尔", "小": "晓", "妹": "美", "弟": "第", "火": "伙", "土": "吐",
    "根": "跟", "水": "税", "花": "华", "囡": "南", "银": "寅", "氏": "市",
}  # fmt: skip
LOOK_ALIKES = {
    "陈": "阵", "林": "休材", "黄": "簧", "张": "弛帐", "李": "季孪", "王": "玉壬", "吴": "昊吕",
    "周": "同固", "徐": "涂途", "叶": "汁", "郑": "邓邦", "杨": "场扬", "刘": "剂", "朱": "未末",
    "胡": "湖朝", "潘": "播", "金": "全", "赵": "赴", "蔡": "葵祭", "夏": "复", "项": "顶顷",
    "董": "薰", "谢": "榭", "卢": "户芦", "曾": "普曹", "钟": "种", "雷": "雪霍", "蓝": "篮",
    "温": "湿", "施": "旅", "苏": "芬", "缪": "谬", "包": "句", "翁": "翕", "毛": "手", "章": "童",
    "余": "佘", "沈": "沉忱", "何": "伺", "许": "讦", "孙": "孔", "高": "亮", "伟": "苇",
    "芳": "芬", "秀": "季香", "英": "央荚", "敏": "教", "静": "诤", "丽": "两", "强": "弘",
    "磊": "品", "军": "车", "洋": "样泮", "勇": "甬", "艳": "绝", "杰": "焘", "娟": "捐涓",
    "涛": "祷", "明": "朋朗", "超": "起越", "兰": "关", "霞": "霜", "平": "乎苹", "刚": "钢",
    "桂": "挂佳", "香": "杳", "月": "用", "珍": "玲", "玉": "王主", "华": "毕", "建": "健",
    "国": "固围", "志": "忠吉", "永": "水泳", "文": "交", "光": "先", "德": "徳", "福": "褔",
    "荣": "菜棠", "贵": "责", "生": "主", "春": "奉泰", "梅": "海", "凤": "风夙", "莲": "连",
    "海": "每悔", "波": "披坡", "雪": "霄", "晓": "浇", "红": "江虹", "云": "去", "飞": "习",
    "龙": "尤", "宝": "实", "仁": "仕任", "义": "又文", "忠": "志", "诚": "城", "松": "忪",
    "柏": "拍栢", "元": "无", "庆": "床", "祥": "样详", "和": "利", "安": "妥", "康": "庚",
    "宁": "字", "佳": "隹侍", "怡": "恰治", "欣": "掀", "思": "恩", "雨": "两", "子": "孑予",
    "涵": "函", "梓": "辛", "浩": "洁皓", "宇": "字", "轩": "轨", "博": "傅", "睿": "容",
    "可": "何司", "馨": "磬", "诗": "待侍", "雅": "稚", "若": "苦", "曦": "羲",
    "依": "侬", "古": "吉", "买": "卖", "提": "堤", "娜": "挪", "尔": "你", "艾": "文", "合": "台",
    "次": "决", "卓": "桌", "玛": "吗", "吐": "吓", "逊": "迅", "都": "部", "拉": "垃", "巴": "己",
    "特": "持", "多": "夕", "吉": "古", "尼": "尾", "牙": "呀", "萧": "箫", "傅": "博",
    "戴": "载", "邱": "邸", "侯": "候", "范": "泛", "游": "遊",
}  # fmt: skip
NEAR_SOUNDS = {
    "陈": "程成", "林": "凌", "黄": "王汪", "王": "黄", "吴": "胡", "胡": "吴", "周": "邹",
    "郑": "曾", "曾": "郑", "钟": "宗", "金": "荆", "蓝": "南", "刘": "牛", "潘": "庞",
    "沈": "盛", "施": "司", "苏": "舒", "章": "臧", "张": "臧", "温": "翁", "翁": "温",
    "蔡": "柴", "英": "音", "敏": "铭", "静": "锦", "丽": "妮", "明": "民", "兰": "南",
    "珍": "争", "生": "森", "诚": "晨", "庆": "沁", "宁": "玲", "欣": "星", "馨": "星",
    "思": "诗", "诗": "思", "子": "芷", "忠": "宗", "龙": "农", "莲": "年", "福": "虎",
    "凤": "洪", "飞": "辉", "强": "前", "安": "昂", "建": "江", "平": "频", "志": "子",
    "刚": "甘", "春": "村", "洋": "严", "光": "关", "香": "先", "仁": "仍",
}  # fmt: skip
TRADITIONAL = {
    "陈": "陳", "黄": "黃", "张": "張", "吴": "吳", "叶": "葉", "郑": "鄭", "杨": "楊",
    "刘": "劉", "赵": "趙", "项": "項", "谢": "謝", "卢": "盧", "钟": "鍾鐘", "蓝": "藍",
    "温": "溫", "苏": "蘇", "缪": "繆", "孙": "孫", "许": "許", "余": "餘", "伟": "偉",
    "静": "靜", "丽": "麗", "强": "強", "军": "軍", "艳": "艷豔", "杰": "傑", "涛": "濤",
    "兰": "蘭", "刚": "剛", "华": "華", "国": "國", "荣": "榮", "贵": "貴", "凤": "鳳",
    "莲": "蓮", "晓": "曉", "红": "紅", "云": "雲", "飞": "飛", "龙": "龍", "宝": "寶",
    "义": "義", "诚": "誠", "庆": "慶", "宁": "寧甯", "轩": "軒", "诗": "詩", "萧": "蕭",
    "阎": "閻", "闫": "閆",
}  # fmt: skip
SURNAME_VARIANTS = {
    "萧": "肖", "肖": "萧", "傅": "付", "付": "傅", "仝": "同", "同": "仝", "阎": "闫", "闫": "阎",
    "戴": "代", "代": "戴", "邱": "丘", "丘": "邱", "侯": "候", "范": "範", "游": "遊",
    "钟": "锺", "蓝": "兰", "沈": "沉", "卢": "芦",
}  # fmt: skip
MORE_SURNAMES = tuple("萧肖傅付仝阎闫戴邱丘侯范游")
"""Surnames of two forms that families of the demo have beside its usual ones."""
# What stands for a character that a system lacks: a homophone, its reading, its parts.
RARE_FORMS = {
    "𬭊": ("杜", "DU", "dù", "(钅杜)"),
    "䶮": ("岩", "YAN", "yan", "(龙天)"),
    "㛃": ("杰", "JIE", "jie"),
    "𬍛": ("丽", "LI", "li"),
    "䓨": ("英", "YING", "ying"),
    "㼆": (),
}
UNKNOWN_FORMS = ("?", "?", "？", "□", "*", "\ue863", "〓")


@dataclass(frozen=True)
class Bearers:
    """Whose names are odd, one row each; what there is none of is null."""

    name: pl.Series
    relative: pl.Series
    stranger: pl.Series
    former: pl.Series


def is_fragile(names: pl.Series) -> Flags:
    """Whether a name has a character or a dot that systems have trouble with."""
    return has_rare_character(names) | has_dot(names)


def has_rare_character(names: pl.Series) -> Flags:
    """Whether a name has a rare character."""
    return names.str.contains(f"[{''.join(RARE_CHARACTERS)}]").to_numpy()


def has_dot(names: pl.Series) -> Flags:
    """Whether a name is one of two parts."""
    return names.str.contains(DOT, literal=True).to_numpy()


def weights_of(bearers: Bearers) -> Floats:
    """Weight of each kind for each bearer; zero where it cannot happen to them."""
    names = bearers.name
    weights = np.repeat(np.array([[kind.weight for kind in NAME_ERRORS]]), len(names), axis=0)
    in_table = [
        (kind, names.str.contains(f"[{''.join(table)}]"))
        for kind, table in (("traditional", TRADITIONAL), ("near_sound", NEAR_SOUNDS))
    ]
    for kind, possible in (
        *in_table,
        ("dropped_character", names.str.len_chars() >= 3),
        ("name_of_relative", bearers.relative.is_not_null() & (bearers.relative != names)),
        ("name_of_stranger", bearers.stranger.is_not_null() & (bearers.stranger != names)),
        ("former_name", bearers.former.is_not_null() & (bearers.former != names)),
        ("surname_variant", names.str.contains(f"^[{''.join(SURNAME_VARIANTS)}]")),
    ):
        weights[:, NAME_ERROR_NAMES.index(kind)] *= possible.fill_null(False).to_numpy()
    weights[:, NAME_ERROR_NAMES.index("rare_character")] *= has_rare_character(names)
    weights[:, NAME_ERROR_NAMES.index("dot_form")] *= has_dot(names)
    return weights


def slip_weights_of(bearers: Bearers) -> Floats:
    """The same for an error of a single row: only what a hand or an eye gets wrong."""
    weights = weights_of(bearers)
    weights[:, [index for index, kind in enumerate(NAME_ERRORS) if not kind.is_slip]] = 0.0
    return weights


def write_names(kind: Integers, bearers: Bearers, rng: np.random.Generator) -> pl.Series:
    """What is written instead of each name."""
    draws = rng.random((len(kind), 3)).tolist()
    written = [
        WRITERS.get(NAME_ERROR_NAMES[error], unchanged)(name, *draw)
        for error, name, draw in zip(kind.tolist(), bearers.name.to_list(), draws, strict=True)
    ]
    names = pl.Series(written, dtype=pl.String)
    for error, other in (
        ("name_of_relative", bearers.relative),
        ("name_of_stranger", bearers.stranger),
        ("former_name", bearers.former),
    ):
        rows = np.flatnonzero(kind == NAME_ERROR_NAMES.index(error))
        names = names.scatter(rows, other.gather(rows))
    return names


def of(choices: tuple[str, ...] | str, draw: float) -> str:
    """The choice at a draw between 0 and 1."""
    return choices[int(draw * len(choices))]


def replaced(table: dict[str, str], name: str, where: float, which: float, family: float) -> str:
    """One character that the table knows as another; the surname seldom."""
    places = [place for place, character in enumerate(name) if character in table]
    if len(places) > 1 and places[0] == 0:
        places = [0] if family < FAMILY_SHARE else places[1:]
    if not places:
        return name + name[-1]
    place = places[int(where * len(places))]
    return name[:place] + of(table[name[place]], which) + name[place + 1 :]


Writing = Callable[[str, float, float, float], str]


def by_table(table: dict[str, str]) -> Writing:
    """A writer that takes a character for another of a table."""
    return lambda name, *draw: replaced(table, name, *draw)


def unchanged(name: str, _w: float, _a: float, _b: float) -> str:
    """The name itself, for kinds that write another one."""
    return name


def in_traditional(name: str, *draw: float) -> str:
    """All characters in their traditional form, at times only one of them."""
    if draw[2] < ONLY_ONE_SHARE:
        return replaced(TRADITIONAL, name, draw[0], draw[1], draw[2])
    return "".join(of(TRADITIONAL.get(character, character), draw[1]) for character in name)


def without_character(name: str, where: float, _a: float, _b: float) -> str:
    """A character behind the first left out."""
    place = 1 + int(where * (len(name) - 1))
    return name[:place] + name[place + 1 :]


def with_doubled(name: str, where: float, _a: float, _b: float) -> str:
    """A character behind the first written twice."""
    place = 1 + int(where * (len(name) - 1))
    return name[:place] + name[place] + name[place:]


def with_variant(name: str, _a: float, _b: float, _c: float) -> str:
    """The other form of the surname."""
    return SURNAME_VARIANTS[name[0]] + name[1:]


def without_rare(name: str, how: float, which: float, _b: float) -> str:
    """Every rare character as what a system made of it."""
    for character in RARE_CHARACTERS:
        known = RARE_FORMS[character]
        form = of(known, which) if known and how < 0.5 else of(UNKNOWN_FORMS, which)
        name = name.replace(character, form)
    return name


def with_other_dot(name: str, which: float, _a: float, _b: float) -> str:
    """Another dot, or none."""
    return name.replace(DOT, of(DOTS, which))


def with_note(name: str, which: float, _a: float, _b: float) -> str:
    """A note behind the name."""
    return name + of(NOTES, which)


def with_blanks(name: str, which: float, how: float, _b: float) -> str:
    """Blanks behind the surname, seldom between all characters."""
    space = of(SPACES, which)
    return name[:1] + space + name[1:] if how < 0.9 else space.join(name)


WRITERS: dict[str, Writing] = {
    "homophone": by_table(HOMOPHONES),
    "look_alike": by_table(LOOK_ALIKES),
    "near_sound": by_table(NEAR_SOUNDS),
    "traditional": in_traditional,
    "dropped_character": without_character,
    "doubled_character": with_doubled,
    "surname_variant": with_variant,
    "rare_character": without_rare,
    "dot_form": with_other_dot,
    "note_added": with_note,
    "blanks_inside": with_blanks,
}
