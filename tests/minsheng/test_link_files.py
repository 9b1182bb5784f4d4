"""Two files of any kind are linked by a rule table, and what cannot be linked is told in a line."""

import codecs
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import xlsxwriter
from typer.testing import CliRunner, Result

from minsheng.link_files import link_files
from pipelines.cli import app

HEADER = ("编号", "姓名", "证件号码", "出生日期", "住址")
LEFT = [
    ("甲1", "王小伟", "330390198005170017", "1980-05-17", "一村"),
    ("甲2", "李四方", "330390198106180021", "1981-06-18", "二村"),
    ("甲3", "陈五妹", "", "1982-07-19", "三村"),
    ("甲4", "买买提·艾力", "330390198308200038", "1983-08-20", "四村"),
    ("甲5", "赵六", "330390198409210042", "1984-09-21", "五村"),
]
RIGHT = [
    ("乙4", "买买提·艾力", "330390198308200038", "", "四村"),
    ("乙1", "王小伟", "330390198005170017", "1980-05-17", ""),
    ("乙3", "陈五妹", "330390198207190066", "1982-07-19", "三村"),
    ("乙2", "李四芳", "330390198106180021", "1981-06-18", "外地"),
    ("乙9", "孙九", "330390198803030099", "1988-03-03", "九村"),
]
LINKS = {("甲1", "乙1"), ("甲3", "乙3"), ("甲4", "乙4")}
RULES = """
fields:
  id: 编号
  name: 姓名
  number: 证件号码
  birth: 出生日期
rules:
  - {name: number_and_name, equal: [number, name]}
  - {name: birth_and_name, equal: [birth, name]}
  - {name: number_alone, equal: [number], outcome: review}
"""
Rows = Sequence[Sequence[str]]


def as_csv(rows: Rows, delimiter: str = ",") -> str:
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return target.getvalue()


def write(path: Path, rows: Rows) -> Path:
    """A file as its name asks: .xlsx, -gb18030.csv, -utf16.csv, .tsv or .csv in UTF-8."""
    if path.suffix == ".xlsx":
        with xlsxwriter.Workbook(path) as workbook:
            sheet = workbook.add_worksheet()
            for number, row in enumerate(rows):
                for place, cell in enumerate(row):
                    sheet.write_string(number, place, cell)
        return path
    encoding = path.stem.partition("-")[2] or "utf-8"
    text = as_csv(rows, "\t" if path.suffix == ".tsv" else ",")
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def left(tmp_path: Path) -> Path:
    return write(tmp_path / "left.csv", [HEADER, *LEFT])


@pytest.fixture
def right(tmp_path: Path) -> Path:
    return write(tmp_path / "right.csv", [HEADER, *RIGHT])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    pairs = sorted({*LINKS, ("甲2", "乙2")})
    return write(tmp_path / "truth.csv", [("left_id", "right_id"), *pairs])


def command(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["link", *map(str, arguments)])


def refusal(*arguments: Path | str) -> str:
    """The one line in which the command says why it cannot link; it has no traceback."""
    found = command(*arguments)
    assert (found.exit_code, found.stdout) == (1, "")
    (line,) = found.stderr.splitlines()
    assert line.startswith("minsheng: ")
    return line.removeprefix("minsheng: ")


# ── what is linked ──────────────────────────────────────────────────────────────────────────────


def test_rows_are_linked_and_doubts_are_kept(left: Path, right: Path, rules: Path) -> None:
    found = link_files(left, right, rules)
    assert set(found.links) == {
        ("甲1", "乙1", "number_and_name"),
        ("甲4", "乙4", "number_and_name"),
        ("甲3", "乙3", "birth_and_name"),
    }
    assert found.review == (("甲2", "乙2", "number_alone", "asked"),)
    assert found.rules == {"number_and_name": 2, "birth_and_name": 1, "number_alone": 0}
    assert (found.precision, found.recall, found.f1) == (None, None, None)


@pytest.mark.parametrize(
    "name", ["left-gb18030.csv", "left-utf-16.csv", "left-utf-8-sig.csv", "left.tsv", "left.xlsx"]
)
def test_a_file_links_the_same_however_it_is_saved(
    tmp_path: Path, right: Path, rules: Path, name: str
) -> None:
    found = link_files(write(tmp_path / name, [HEADER, *LEFT]), right, rules)
    assert {pair[:2] for pair in found.links} == LINKS


def test_the_files_may_be_of_two_kinds(tmp_path: Path, rules: Path) -> None:
    found = link_files(
        write(tmp_path / "left-gb18030.csv", [HEADER, *LEFT]),
        write(tmp_path / "right.xlsx", [HEADER, *RIGHT]),
        rules,
    )
    assert {pair[:2] for pair in found.links} == LINKS


def test_headers_are_found_below_a_title_and_whatever_their_blanks(
    tmp_path: Path, right: Path, rules: Path
) -> None:
    rows = [("花名册", *[""] * 5), ("备注", "编 号", "姓　名", "证件号码 ", "出生日期", "住址")]
    found = link_files(
        write(tmp_path / "left.csv", [*rows, *(("", *row) for row in LEFT)]), right, rules
    )
    assert {pair[:2] for pair in found.links} == LINKS


def test_cells_are_compared_without_the_blanks_around_them(
    tmp_path: Path, right: Path, rules: Path
) -> None:
    blanks = [tuple(f"\u3000{cell}\u00a0 " for cell in row) for row in LEFT]
    found = link_files(write(tmp_path / "left.csv", [HEADER, *blanks]), right, rules)
    assert {pair[:2] for pair in found.links} == LINKS


def test_blank_cells_are_no_evidence(tmp_path: Path, rules: Path) -> None:
    rows = [HEADER, ("1", "王小伟", " ", "", "一村"), ("2", "", "", "1980-05-17", "一村")]
    found = link_files(
        write(tmp_path / "left.csv", rows), write(tmp_path / "right.csv", rows), rules
    )
    assert not found.links and not found.review


def test_a_file_with_itself_links_every_row_that_is_nobody_else_s(left: Path, rules: Path) -> None:
    found = link_files(left, left, rules)
    assert {pair[:2] for pair in found.links} == {(row[0], row[0]) for row in LEFT}


def test_the_order_of_rows_changes_nothing(
    tmp_path: Path, left: Path, right: Path, rules: Path
) -> None:
    turned = write(tmp_path / "turned.csv", [HEADER, *reversed(LEFT)])
    assert link_files(turned, right, rules) == link_files(left, right, rules)


def test_a_row_has_one_partner_and_two_of_equal_right_are_left_to_a_person(
    tmp_path: Path, left: Path, rules: Path
) -> None:
    twins = [("乙1", *LEFT[0][1:]), ("乙2", *LEFT[0][1:])]
    found = link_files(left, write(tmp_path / "twins.csv", [HEADER, *twins]), rules)
    assert not found.links
    # both rules doubt them, and a person looks at a pair once
    assert found.review == (
        ("甲1", "乙1", "number_and_name", "ambiguous"),
        ("甲1", "乙2", "number_and_name", "ambiguous"),
    )


def test_a_looser_rule_takes_no_partner_away(tmp_path: Path, left: Path, rules: Path) -> None:
    namesake = ("乙2", "王小伟", "", "1980-05-17", "")
    rows = [HEADER, namesake, ("乙1", *LEFT[0][1:])]
    found = link_files(left, write(tmp_path / "right.csv", rows), rules)
    assert found.links == (("甲1", "乙1", "number_and_name"),)
    assert found.review == ()


@pytest.mark.parametrize("rows", [[HEADER], [HEADER, ("", "", "", "", "")]])
def test_a_file_without_rows_links_nobody(
    tmp_path: Path, right: Path, rules: Path, rows: Rows
) -> None:
    empty = write(tmp_path / "empty.csv", rows)
    for one, other in ((empty, right), (right, empty), (empty, empty)):
        found = link_files(one, other, rules)
        assert (found.links, found.review) == ((), ())


def test_one_column_is_enough(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("fields: {id: 编号}\nrules: [{name: same, equal: [id]}]", encoding="utf-8")
    left = write(tmp_path / "left.csv", [HEADER, *LEFT])
    right = write(tmp_path / "right.csv", [("编号",), ("甲3",), ("乙",)])
    assert link_files(left, right, rules).links == (("甲3", "甲3", "same"),)


def test_fields_may_be_made_of_several_columns(tmp_path: Path, left: Path, right: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "fields: {id: 编号, order: '姓名 || left(出生日期, 4)'}\n"
        "rules: [{name: name_and_year, equal: [order]}]",
        encoding="utf-8",
    )
    found = link_files(left, right, rules)
    assert {pair[:2] for pair in found.links} == {("甲1", "乙1"), ("甲3", "乙3")}


# ── how well ────────────────────────────────────────────────────────────────────────────────────


def test_precision_and_recall_are_those_of_the_pairs(
    left: Path, right: Path, rules: Path, truth: Path
) -> None:
    found = link_files(left, right, rules, truth)
    assert (found.precision, found.recall) == (1.0, 0.75)
    assert found.f1 == pytest.approx(2 * 0.75 / 1.75)


def test_a_wrong_link_costs_precision(tmp_path: Path, left: Path, right: Path, rules: Path) -> None:
    pairs = [("甲1", "乙1"), ("甲3", "乙3"), ("甲5", "乙4")]
    truth = write(tmp_path / "truth.csv", [("left_id", "right_id"), *pairs])
    found = link_files(left, right, rules, truth)
    assert found.precision == found.recall == found.f1 == pytest.approx(2 / 3)


def test_where_nothing_is_linked_precision_is_unknown(
    tmp_path: Path, left: Path, right: Path, truth: Path
) -> None:
    rules = tmp_path / "none.yaml"
    rules.write_text(
        "fields: {id: 编号, place: 住址}\n"
        "rules: [{name: never, equal: [place], agree: one.place <> other.place}]",
        encoding="utf-8",
    )
    found = link_files(left, right, rules, truth)
    assert (found.links, found.rules) == ((), {"never": 0})
    assert (found.precision, found.recall, found.f1) == (None, 0.0, 0.0)


def test_without_a_true_pair_recall_is_unknown(
    tmp_path: Path, left: Path, right: Path, rules: Path
) -> None:
    truth = write(tmp_path / "truth.csv", [("left_id", "right_id")])
    found = link_files(left, right, rules, truth)
    assert (found.precision, found.recall, found.f1) == (0.0, None, 0.0)


def test_the_truth_may_have_more_columns_and_be_a_workbook(
    tmp_path: Path, left: Path, right: Path, rules: Path
) -> None:
    rows = [("remark", "RIGHT_ID", "left_id"), ("", "乙1", " 甲1 ")]
    found = link_files(left, right, rules, write(tmp_path / "truth.xlsx", rows))
    assert (found.precision, found.recall) == (1 / 3, 1.0)


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def test_the_command_prints_json_for_other_programs(
    left: Path, right: Path, rules: Path, truth: Path
) -> None:
    printed = command(left, right, "--rules", rules, "--truth", truth, "--format", "json")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert json.loads(printed.stdout) == {
        "links": 3,
        "rules": {"number_and_name": 2, "birth_and_name": 1, "number_alone": 0},
        "review": 1,
        "precision": 1.0,
        "recall": 0.75,
        "f1": pytest.approx(6 / 7),
    }


def test_the_command_prints_pairs_as_csv(tmp_path: Path, right: Path, rules: Path) -> None:
    odd = [('甲,"1"', *LEFT[0][1:]), *LEFT[1:]]
    left = write(tmp_path / "left.csv", [HEADER, *odd])
    printed = command(left, right, "--rules", rules, "--format", "csv")
    assert printed.exit_code == 0
    header, *pairs = csv.reader(io.StringIO(printed.stdout))
    assert header == ["left_id", "right_id", "outcome", "rule", "doubt"]
    assert sorted(pairs) == sorted(
        [
            ['甲,"1"', "乙1", "link", "number_and_name", ""],
            ["甲3", "乙3", "link", "birth_and_name", ""],
            ["甲4", "乙4", "link", "number_and_name", ""],
            ["甲2", "乙2", "review", "number_alone", "asked"],
        ]
    )


def test_the_command_prints_figures_to_read(left: Path, right: Path, rules: Path) -> None:
    printed = command(left, right, "--rules", rules)
    assert printed.exit_code == 0
    assert printed.stdout.splitlines() == [
        "links      3",
        "review     1",
        "precision  -",
        "recall     -",
        "f1         -",
        "         2 by number_and_name",
        "         1 by birth_and_name",
        "         0 by number_alone",
    ]


def test_a_command_without_rules_or_of_another_format_says_how_it_is_used(
    left: Path, right: Path, rules: Path
) -> None:
    assert command(left, right).exit_code == 2
    assert command(left, right, "--rules", rules, "--format", "xml").exit_code == 2


# ── what cannot be linked ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [HEADER, LEFT[1], LEFT[0], LEFT[2], LEFT[0]],
            "1 ids (编号, the field id of rules.yaml) are empty or not of one row alone, "
            "the first of them that of row 3",
        ),
        (
            [HEADER, LEFT[1], ("", *LEFT[0][1:])],
            "are empty or not of one row alone, the first of them that of row 3",
        ),
        (
            [HEADER[1:], *(row[1:] for row in LEFT)],
            "has no column 编号, which the field id of rules.yaml asks for; "
            "those of its header are 姓名, 证件号码, 出生日期, 住址",
        ),
        (
            [HEADER[:2], *(row[:2] for row in LEFT)],
            "has no column 证件号码, which the field number of rules.yaml asks for, "
            "出生日期, which the field birth of rules.yaml asks for; "
            "those of its header are 编号, 姓名",
        ),
        ([("一", "二"), *(row[:2] for row in LEFT)], "; wanted are 编号, 姓名, 证件号码, 出生日期"),
        ([HEADER, *LEFT[:2], LEFT[2][:3]], "row 4 has 3 cells and its header 5"),
        ([HEADER, *LEFT[:2], (*LEFT[2], "多")], "row 4 has 6 cells and its header 5"),
        ([], "the file is empty (0 bytes)"),
    ],
)
def test_a_file_that_does_not_fit_is_named_with_the_reason(
    tmp_path: Path, right: Path, rules: Path, rows: Rows, reason: str
) -> None:
    wrong = write(tmp_path / "wrong.csv", rows)
    for arguments in ((wrong, right), (right, wrong)):
        line = refusal(*arguments, "--rules", rules)
        assert line.startswith(f"{wrong}: ") and reason in line
        assert not any(cell in line for row in LEFT for cell in row[1:3] if cell)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("left", "right"), ("甲1", "乙1")], "; wanted are left_id, right_id"),
        ([("left_id", "right"), ("甲1", "乙1")], "; wanted are left_id, right_id"),
        (
            [("left_id", "right_id"), ("甲1", "乙7")],
            "1 rows, the first of them row 2, have a right_id that is no id of the right file, ",
        ),
        (
            [("left_id", "right_id"), ("甲1", "乙1"), ("330390198005170017", "乙2"), ("", "乙3")],
            "2 rows, the first of them row 3, have a left_id that is no id of the left file, ",
        ),
        ([("left_id", "right_id"), ("甲1",)], "row 2 has 1 cells and its header 2"),
        ([], "the file is empty (0 bytes)"),
    ],
)
def test_a_truth_that_does_not_fit_is_named_with_the_reason(
    tmp_path: Path, left: Path, right: Path, rules: Path, rows: Rows, reason: str
) -> None:
    truth = write(tmp_path / "wrong.csv", rows)
    line = refusal(left, right, "--rules", rules, "--truth", truth)
    assert line.startswith(f"{truth}: ") and reason in line
    assert "330390198005170017" not in line


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: []", "`fields` has to say what `id` is"),
        ("fields: {name: 姓名}\nrules: []", "`fields` has to say what `id` is"),
        ("fields: {id: 编号, name: read_text('left.csv')}\nrules: []", "calls read_text"),
        ("fields: {id: 编号}\nrules: [{name: a, equal: [name]}]", "a: no record has a field name"),
        (
            "fields: {id: 编号, born: 出生日期::date}\nrules: []",
            "born.csv: Conversion Error",
        ),
        ("fields: {id: 编号, size: 姓名 + 1}\nrules: []", "field size of "),
        (
            "fields: {id: 编号, name: 姓名}\nrules: [{name: a, equal: [name::integer]}]",
            "rule a: Conversion Error",
        ),
        (
            "fields: {id: 编号, name: 姓名}\nrules: [{name: a, equal: [name + 1]}]",
            "rule a: Binder Error",
        ),
        (
            "fields: {id: 编号, name: 姓名}\nrules: [{name: a, equal: [id], of: grouping(id) = 0}]",
            "rule a: Binder Error",
        ),
        (
            "fields: {id: 编号, name: 姓名}\n"
            "rules: [{name: a, equal: [id], agree: \"one.name ~ '('\"}]",
            "rule a: ",
        ),
        ("rules", "needs a list of `rules`"),
    ],
)
def test_rules_that_do_not_fit_are_told(
    tmp_path: Path, left: Path, right: Path, text: str, reason: str
) -> None:
    rules = tmp_path / "wrong.yaml"
    rules.write_text(text, encoding="utf-8")
    born = write(tmp_path / "born.csv", [HEADER, ("甲1", "王小伟", "1", "王小伟", "一村")])
    for one, other in ((born, born), (born, right)):
        line = refusal(one, other, "--rules", rules)
        assert line.startswith("wrong.yaml: ") and reason in line
        assert "王小伟" not in line


def test_a_file_that_is_not_there_is_told(tmp_path: Path, left: Path, rules: Path) -> None:
    missing = tmp_path / "missing.csv"
    assert "No such file" in refusal(left, missing, "--rules", rules)
    assert "No such file" in refusal(left, left, "--rules", missing)
    assert "No such file" in refusal(left, left, "--rules", rules, "--truth", missing)
    assert (
        refusal(left, tmp_path, "--rules", rules) == f"{tmp_path}: is a folder; name a file in it"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.xlsx", b"PK\x03\x04 no workbook"),
        ("broken.csv", codecs.BOM_UTF8 + "编号,姓名\n甲1,王".encode() + b"\xff\xfe\n"),
        ("broken.parquet", b"PAR1 no table"),
        ("broken.zip", b"PK\x03\x04"),
        ("broken.doc", b"a document"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, left: Path, rules: Path, name: str, content: bytes
) -> None:
    broken = tmp_path / name
    broken.write_bytes(content)
    assert refusal(left, broken, "--rules", rules).startswith(f"{broken}: ")


def test_no_copy_of_the_rows_is_left_behind(
    tmp_path: Path, left: Path, right: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    link_files(left, right, rules)
    assert not list(copies.iterdir())
