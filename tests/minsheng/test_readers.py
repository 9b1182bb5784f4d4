"""What stands in a delivered file comes out as text, row by row, or the file is refused whole."""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import duckdb
import openpyxl
import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from minsheng.encryption import Keys, sealed_parquet, unlock
from minsheng.readers import SHEET_STEP, Reading, UnreadableFile, read_rows, where
from minsheng.readers import text as text_reader

HEADER = ("户编号", "姓名", "关系")


def score(cells: Sequence[str]) -> int:
    return len({*cells} & {*HEADER})


def read(
    folder: Path, content: bytes, name: str = "a.csv"
) -> tuple[Reading, dict[int, tuple[str, ...]]]:
    """The reading and the rows by number."""
    path = folder / name
    path.write_bytes(content)
    destination = folder / "rows.parquet"
    reading = read_rows(database(), path, score, destination)
    rows = database().sql(f"from {sealed_parquet(destination)}").fetchall()
    return reading, {row[0]: row[1:] for row in rows}


@cache
def database() -> duckdb.DuckDBPyConnection:
    """A database with a key of its own."""
    connection = duckdb.connect()
    unlock(connection, Keys(bytes(32)))
    return connection


def sheet(folder: Path, rows: Sequence[Sequence[object]], name: str = "a.xlsx") -> bytes:
    """A workbook; dates look like dates."""
    path = folder / f"made-{name}"
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as workbook:
        page = workbook.add_worksheet()
        for place, row in enumerate(rows):
            for column, cell in enumerate(row):
                page.write(place, column, cell)
    return path.read_bytes()


cell = st.text(
    st.sampled_from('",;\n\r\t\0 a1.姓𠮷㐂😀\ue000\u3000\u2028\x1c')
    | st.characters(codec="gb18030"),
    max_size=4,
)


@st.composite
def written_row(draw: st.DrawFn) -> str:
    """A row as some program writes it: quoted properly, quoted always, or not at all."""
    width = draw(st.sampled_from([3, 3, 3, 3, 1, 2, 4, 0]))
    cells = draw(st.lists(cell, min_size=width, max_size=width))
    end = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    style = draw(st.sampled_from(["where needed", "always", "never"]))
    if style == "never":
        return ",".join(cells) + end
    target = io.StringIO(newline="")
    is_always = style == "always"
    writer = csv.writer(
        target, quoting=csv.QUOTE_ALL if is_always else csv.QUOTE_MINIMAL, lineterminator=end
    )
    writer.writerow(cells)
    return target.getvalue()


@st.composite
def written_file(draw: st.DrawFn) -> str:
    title = draw(st.sampled_from(["", "名册,2022\n", '"名册\r\n第二行"\n', "\n"]))
    return title + ",".join(HEADER) + "\n" + "".join(draw(st.lists(written_row(), max_size=12)))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=written_file(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    block_bytes=st.sampled_from([3, 16, 64, text_reader.BLOCK_BYTES]),
)
@example('户编号,姓名,关系\n1,"a\r\nb",c\n', "utf-8", 3)
@example('户编号,姓名,关系\n1,"a,b,c\n2,"d,e\n', "utf-8", 64)
@example("户编号,姓名,关系\n1,a,b", "gb18030", 16)
def test_every_row_of_a_csv_is_read_as_csv_reads_it_or_accounted_for(
    tmp_path: Path, text: str, encoding: str, block_bytes: int
) -> None:
    expected = list(csv.reader(io.StringIO(text, newline="")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_reader, "BLOCK_BYTES", block_bytes)
        try:
            reading, rows = read(tmp_path, text.encode(encoding))
        except UnreadableFile as fault:
            opened = re.search(r"quotation mark opened in row (\d+) is never closed", str(fault))
            assert opened and int(opened[1]) == len(expected)
            assert list(csv.reader(io.StringIO(text + "\n", newline=""))) != expected
            return
    malformed = {row.row_number: row for row in reading.malformed}
    blank = 0
    for number, cells in enumerate(expected[reading.header_row :], start=reading.header_row + 1):
        if number in rows:
            assert rows[number] == tuple(cells)
        elif number in malformed:
            assert malformed[number].cells == len(cells)
            assert len(cells) != len(reading.headers) or any("\n" in cell for cell in cells)
        else:
            assert not "".join(cells).strip()
            blank += 1
    assert expected[reading.header_row - 1] == list(HEADER)
    assert (reading.row_count, reading.blank_rows) == (len(rows), blank)
    assert len(rows) + len(malformed) + blank == len(expected) - reading.header_row


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_rare_characters_survive_every_encoding(tmp_path: Path, encoding: str) -> None:
    text = "户编号,姓名,关系\n1,𠮷田㐂,户主\n2,䶮·艾力,妻\n"
    reading, rows = read(tmp_path, text.encode(encoding))
    assert rows == {2: ("1", "𠮷田㐂", "户主"), 3: ("2", "䶮·艾力", "妻")}
    assert reading.form == f"csv {encoding} ','"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_the_header(tmp_path: Path, delimiter: str) -> None:
    lines = ["单位：甲,乙;丙,2022,,,", delimiter.join(HEADER), delimiter.join(["1", "a", "b"])]
    _, rows = read(tmp_path, "\r\n".join(lines).encode(), "a.txt")
    assert rows == {3: ("1", "a", "b")}


def test_rows_are_numbered_as_a_spreadsheet_numbers_them(tmp_path: Path) -> None:
    text = '"名册\n2022"\n\n户编号,"姓\n名",关系\n1,a,b\n\n2,"c\nd",e\n , ,\n3,f\n4,g,h\n'
    reading, rows = read(tmp_path, text.replace("姓\n名", "姓名").encode())
    assert rows == {4: ("1", "a", "b"), 6: ("2", "c\nd", "e"), 9: ("4", "g", "h")}
    assert (reading.header_row, reading.blank_rows) == (3, 2)
    assert [(row.row_number, row.cells) for row in reading.malformed] == [(8, 2)]


def test_two_rows_that_a_stray_quotation_mark_joins_are_refused_together(tmp_path: Path) -> None:
    text = '户编号,姓名,关系\n1,"a,户主\n2,b","户主"\n3,c,妻\n'
    reading, rows = read(tmp_path, text.encode())
    assert rows == {3: ("3", "c", "妻")}
    assert [row.row_number for row in reading.malformed] == [2]


def test_a_delimiter_at_the_end_of_every_row_is_no_cell(tmp_path: Path) -> None:
    reading, rows = read(tmp_path, "户编号,姓名,关系\n1,张三,户主,\n2,李四,妻,\n".encode())
    assert rows == {2: ("1", "张三", "户主", ""), 3: ("2", "李四", "妻", "")}
    assert reading.headers == (*HEADER, "列4")


def test_lines_that_end_with_a_carriage_return_alone_are_read_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_reader, "BLOCK_BYTES", 1000)
    path = tmp_path / "a.csv"
    path.write_text("户编号,姓名,关系\r" + "1,张三,户主\r" * 1000, newline="")
    blocks = text_reader.whole_lines(text_reader.decoded(path, "utf-8"))
    assert max(map(len, blocks)) < 2000
    reading = read_rows(database(), path, score, tmp_path / "rows.parquet")
    assert reading.row_count == 1000


def test_a_row_is_named_by_its_sheet_and_its_number() -> None:
    assert [where(5), where(SHEET_STEP + 5)] == ["第5行", "第2张表第5行"]


def test_a_row_of_a_long_text_file_is_named_by_its_number_alone() -> None:
    assert where(10_000_005) == "第10000005行"


def test_a_repeated_or_blank_header_gets_a_name_of_its_own(tmp_path: Path) -> None:
    reading, _ = read(tmp_path, "户编号,姓名,姓 名,关系,,NOTE,note\n1,a,b,c,d,e,f\n".encode())
    assert reading.headers == ("户编号", "姓名", "姓 名_2", "关系", "列5", "NOTE", "note_2")


def test_a_workbook_has_title_rows_above_its_header(tmp_path: Path) -> None:
    content = sheet(
        tmp_path, [["名册"], [], list(HEADER), ["1", "张三", "户主"], [], ["2", "", ""]]
    )
    reading, rows = read(tmp_path, content, "a.xlsx")
    assert rows == {4: ("1", "张三", "户主"), 6: ("2", "", "")}
    assert (reading.header_row, reading.blank_rows) == (3, 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_told_by_its_mark(tmp_path: Path, encoding: str) -> None:
    mark = b"" if encoding == "utf-16" else "\ufeff".encode(encoding)
    text = "户编号\t姓名\t关系\r\n1\t张𠮷\t户主\r\n"
    reading, rows = read(tmp_path, mark + text.encode(encoding))
    assert rows == {2: ("1", "张𠮷", "户主")}
    assert reading.form == "csv utf-16 '\\t'"


def test_two_rows_of_merged_cells_are_one_header(tmp_path: Path) -> None:
    content = sheet(
        tmp_path,
        [
            ["二〇二二年名册", "", "", ""],
            ["户编号", "成员", "", "备注"],
            ["", "姓名", "关系", ""],
            ["1", "张三", "户主", "某"],
        ],
    )
    reading, rows = read(tmp_path, content, "a.xlsx")
    assert reading.headers == ("户编号", "姓名", "关系", "备注")
    assert (reading.header_row, rows) == (3, {4: ("1", "张三", "户主", "某")})


def test_a_row_below_the_header_with_blank_cells_is_no_second_header(tmp_path: Path) -> None:
    reading, rows = read(tmp_path, "户编号,姓名,关系\n,张三,户主\n".encode())
    assert (reading.header_row, rows) == (1, {2: ("", "张三", "户主")})


def test_totals_remarks_and_signatures_are_counted_apart(tmp_path: Path) -> None:
    rows_below = "合 计,,3\n,总计：,3\n备注：本表一式三份,,\n填表人：张三,,\n"
    reading, rows = read(tmp_path, f"户编号,姓名,关系\n1,张三,户主\n{rows_below}".encode())
    assert rows == {2: ("1", "张三", "户主")}
    assert (reading.row_count, reading.note_rows, reading.blank_rows) == (1, 4, 0)


def test_a_person_whose_row_is_full_is_no_remark(tmp_path: Path) -> None:
    text = "户编号,姓名,关系\n注：1,张三,户主\n1,合计生,户主\n2,备注：无,\n"
    reading, rows = read(tmp_path, text.encode())
    assert (list(rows), reading.note_rows) == ([2, 3, 4], 0)


def test_sheets_with_the_same_header_are_read_one_below_the_other(tmp_path: Path) -> None:
    path = tmp_path / "made.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, header in (("甲乡", HEADER), ("乙乡", ("姓名", "户编号", "电话"))):
            page = book.add_worksheet(name)
            page.write_row(0, 0, header)
            page.write_row(1, 0, [f"{name}{column}" for column in range(3)])
        book.add_worksheet("填表说明").write(0, 0, "请如实填写")
        hidden = book.add_worksheet("底稿")
        hidden.write_row(0, 0, HEADER)
        hidden.hide()
    reading, rows = read(tmp_path, path.read_bytes(), "a.xlsx")
    assert reading.headers == (*HEADER, "电话")
    assert rows == {
        2: ("甲乡0", "甲乡1", "甲乡2", ""),
        SHEET_STEP + 2: ("乙乡1", "乙乡0", "", "乙乡2"),
    }
    assert reading.form == "xlsx sheet 甲乡、乙乡; not read: 填表说明、底稿（隐藏）"


def packed(*members: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


GOOD_TEXT = "户编号,姓名,关系\n1,张三,户主\n"


@pytest.mark.parametrize("name", ["名册.csv", "名册.xlsx", "甲/名册.htm"])
def test_an_archive_is_read_by_the_one_file_in_it(tmp_path: Path, name: str) -> None:
    content = {
        "名册.csv": GOOD_TEXT.encode("gb18030"),
        "名册.xlsx": sheet(tmp_path, [HEADER, ("1", "张三", "户主")]),
        "甲/名册.htm": page([HEADER, ("1", "张三", "户主")]).encode(),
    }[name]
    litter = (("~$名册.xlsx", b"x"), ("__MACOSX/._a", b"x"), ("甲/", b""))
    reading, rows = read(tmp_path, packed((name, content), *litter), "a.zip")
    assert rows == {2: ("1", "张三", "户主")}
    assert reading.form.startswith("zip, ")
    assert not [*tmp_path.glob("unpacked*"), *tmp_path.glob("part*")]


def test_tables_of_an_archive_are_read_one_below_the_other(tmp_path: Path) -> None:
    content = packed(
        ("甲乡.csv", (GOOD_TEXT + "2,王五\n").encode("gb18030")),
        ("乙乡.xlsx", sheet(tmp_path, [["名册"], ("姓名", "户编号", "关系"), ("李四", "7", "妻")])),
        ("丙乡.csv", (GOOD_TEXT + "3,赵六\n").encode()),
        ("来函.pdf", b"x"),
    )
    reading, rows = read(tmp_path, content, "a.zip")
    assert rows == {
        2: ("1", "张三", "户主"),
        SHEET_STEP + 3: ("7", "李四", "妻"),
        2 * SHEET_STEP + 2: ("1", "张三", "户主"),
    }
    assert [where(row.row_number) for row in reading.malformed] == ["第3行", "第3张表第3行"]
    assert reading.form == (
        "zip, csv gb18030 ','; xlsx sheet Sheet1; csv utf-8 ','; not read: 来函.pdf"
    )


def test_a_text_without_a_header_beside_a_table_is_passed_over(tmp_path: Path) -> None:
    texts = (("readme.txt", b"please find attached"), ("a.csv", GOOD_TEXT.encode()))
    litter = (("Thumbs.db", b"x"), ("b/desktop.ini", b"x"))
    reading, _ = read(tmp_path, packed(*texts, *litter), "a.zip")
    assert reading.form == "zip, csv utf-8 ','; not read: readme.txt"
    with pytest.raises(UnreadableFile, match="no header row"):
        read(tmp_path, packed(texts[0], ("b.txt", b"and this")), "a.zip")


def book(folder: Path, formula: str) -> bytes:
    """A workbook as programs write it that do not compute, with a formula in its last column."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet
    for row in (["户编号", "姓名", "关系"], ["1", "张三", formula]):
        sheet.append(row)
    workbook.save(folder / "written.xlsx")
    return (folder / "written.xlsx").read_bytes()


def test_a_formula_without_its_value_is_told_with_its_cell(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"without their stored values \(as in cell C2\)"):
        read(tmp_path, book(tmp_path, '="户"&"主"'), "a.xlsx")
    reading, _ = read(tmp_path, book(tmp_path, "户主"), "a.xlsx")
    assert reading.row_count == 1


def test_a_formula_whose_value_is_stored_is_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "stored.xlsx") as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["户编号", "姓名", "关系"])
        sheet.write_row(1, 0, ["1", "张三"])
        sheet.write_formula(1, 2, '="户"&"主"', value="户主")
        sheet.write_row(2, 0, ["2", "李四"])
        sheet.write_formula(2, 2, '=IF(A1="",1,"")', value="")
    # spreadsheet programs say of a formula whose value is an empty text that it is one
    with zipfile.ZipFile(tmp_path / "stored.xlsx") as written:
        members = {name: written.read(name) for name in written.namelist()}
    sheet_name = "xl/worksheets/sheet1.xml"
    members[sheet_name] = members[sheet_name].replace(b'r="C3">', b'r="C3" t="str">')
    _, rows = read(tmp_path, packed(*members.items()), "a.xlsx")
    assert [row[-1] for row in rows.values()] == ["户主", ""]


def test_a_member_whose_name_is_in_the_senders_code_page_is_named(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("xxxx.docx", b"x")
        archive.writestr("a.csv", GOOD_TEXT)
    content = target.getvalue().replace(b"xxxx.docx", "来函".encode("gbk") + b".docx")
    reading, _ = read(tmp_path, content, "a.zip")
    assert reading.form.endswith("; not read: 来函.docx")


def damaged(archive: bytes) -> bytes:
    """The same archive whose first member has another content than its checksum says."""
    place = archive.index(zlib.crc32(GOOD_TEXT.encode()).to_bytes(4, "little"))
    return archive.replace(archive[place : place + 4], b"\0\0\0\0")


def locked(archive: bytes) -> bytes:
    """The same archive, its members marked as encrypted."""
    content = bytearray(archive)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(), "the archive holds 0 tables of 0 bytes"),
        (packed(("a.zip", b"x")), "the archive holds 0 tables of 0 bytes (a.zip)"),
        (packed(("a.pdf", b"x")), "pack at least one file ending in .csv, "),
        (packed(("a.csv", GOOD_TEXT.encode()))[:60], "the archive cannot be opened"),
        (damaged(packed(("a.csv", GOOD_TEXT.encode()))), "the archive cannot be opened"),
        (locked(packed(("a.csv", GOOD_TEXT.encode()))), "the archive has a password"),
        (
            packed(("a.csv", GOOD_TEXT.encode()), ("说明.csv", "请查收".encode())),
            "说明.csv in the archive: no header row",
        ),
        (
            packed(
                ("a.csv", GOOD_TEXT.encode()), ("b.csv", GOOD_TEXT.replace("关系", "x").encode())
            ),
            "different columns: 户编号、姓名、关系 and 户编号、姓名、x; send them apart",
        ),
    ],
    # an archive has the time of its making in it, and every worker has to name the case alike
    ids=["empty", "nested", "no table", "cut off", "damaged", "locked", "no header", "two headers"],
)
def test_an_archive_of_anything_else_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(UnreadableFile, match=re.escape(message)):
        read(tmp_path, content, "a.zip")


def page(rows: Sequence[Sequence[str]]) -> str:
    cells = ("".join(f"<td class=xl1>{cell}</td>" for cell in row) for row in rows)
    return "<html><body><table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table></body>"


@pytest.mark.parametrize("name", ["a.htm", "a.xls"])
def test_a_workbook_saved_as_a_page_is_read(tmp_path: Path, name: str) -> None:
    text = page([("名册",), HEADER, ("1", "张&nbsp;三<br>（𠮷）", "户主"), ("", "", "")])
    text = text.replace("<td class=xl1>名册", "<td colspan=3>名册")
    reading, rows = read(tmp_path, text.encode("gb18030"), name)
    assert rows == {3: ("1", "张 三 （𠮷）", "户主")}
    assert (reading.form, reading.blank_rows) == ("htm sheet table 1", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<p>请查收", "the page holds no table"),
        ("<frameset><frame src='a.files/sheet001.htm'>", "a frame around other files; send the"),
    ],
)
def test_a_page_without_a_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(tmp_path, text.encode(), "a.htm")


def test_merged_cells_of_a_page_keep_their_columns(tmp_path: Path) -> None:
    text = (
        "<table><tr><th rowspan=2>户编号<th colspan=2>成员<tr><th>姓名<th>关系"
        "<tr><td>1<td>张三<td>户主</table>"
    )
    reading, rows = read(tmp_path, text.encode(), "a.html")
    assert (reading.headers, rows) == (HEADER, {3: ("1", "张三", "户主")})


def test_a_cell_merged_over_rows_at_the_end_of_a_row_shifts_no_later_row(tmp_path: Path) -> None:
    text = (
        "<table><tr><th>户编号<th>姓名<th>关系<tr><td>1<td>张三<td rowspan=2>户主</tr>"
        "<tr><td>1<td>王五</tr><tr><td>2<td>李四<td>妻</tr></table>"
        "<table><tr><th>户编号<th>姓名<th>关系<tr><td>3<td>赵六<td rowspan=9>子</table>"
        "<table><tr><th>户编号<th>姓名<th>关系<tr><td>4<td>陈七<td>女</table>"
    )
    _, rows = read(tmp_path, text.encode(), "a.html")
    assert list(rows.values()) == [
        ("1", "张三", "户主"),
        ("1", "王五", ""),
        ("2", "李四", "妻"),
        ("3", "赵六", "子"),
        ("4", "陈七", "女"),
    ]


def test_cells_of_a_workbook_come_out_as_they_are_shown(tmp_path: Path) -> None:
    shown: list[tuple[object, str]] = [
        (3.0, "3"),
        (1234.5, "1234.5"),
        (0.00001, "0.00001"),
        (990101197001010011, "9.90101E+17"),
        (990101700101001, "990101700101001"),
        (date(2022, 6, 1), "2022-06-01"),
        (datetime(2022, 6, 1, 8, 30), "2022-06-01 08:30:00"),
        (True, "是"),
        ("'990101197001010011", "'990101197001010011"),
    ]
    content = sheet(
        tmp_path, [HEADER, *([str(n), value, ""] for n, (value, _) in enumerate(shown))]
    )
    _, rows = read(tmp_path, content, "a.xlsx")
    assert [row[1] for row in rows.values()] == [text for _, text in shown]


def test_a_cell_beyond_the_header_is_kept_in_a_column_without_a_name(tmp_path: Path) -> None:
    content = sheet(tmp_path, [HEADER, ["1", "张三", "户主", "", "备注"], ["2", "王五", "妻"]])
    reading, rows = read(tmp_path, content, "a.xlsx")
    assert reading.headers == (*HEADER, "列4", "列5")
    assert [row[4] for row in rows.values()] == ["备注", ""]


def far_workbook(folder: Path, is_filled: bool, states_size: bool) -> bytes:
    """A roll with one cell in the last corner of its sheet, with text or but coloured."""
    path = folder / "made.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, HEADER)
        page.write_row(1, 0, ("1", "张三", "户主"))
        coloured = book.add_format({"bg_color": "yellow"})
        page.write(1_048_575, 16_383, "x" if is_filled else None, coloured)
    if states_size:
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    size = re.compile(rb"<dimension [^>]*>")
    return packed(*((name, size.sub(b"", content)) for name, content in members))


@pytest.mark.parametrize("states_size", [True, False])
def test_a_workbook_with_a_stray_cell_far_away_is_refused(
    tmp_path: Path, states_size: bool
) -> None:
    content = far_workbook(tmp_path, is_filled=True, states_size=states_size)
    with pytest.raises(UnreadableFile, match="reaches to row 1048576 and column 16384"):
        read(tmp_path, content, "a.xlsx")


def test_a_coloured_cell_far_away_does_no_harm(tmp_path: Path) -> None:
    content = far_workbook(tmp_path, is_filled=False, states_size=True)
    assert read(tmp_path, content, "a.xlsx")[1] == {2: ("1", "张三", "户主")}


def test_an_empty_sheet_has_no_header(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no header row"):
        read(tmp_path, sheet(tmp_path, []), "a.xlsx")


def test_a_file_of_another_kind_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"files ending in \.pdf are not read; send one of"):
        read(tmp_path, b"%PDF", "a.pdf")


def test_a_parquet_file_is_read_without_a_header_row_and_shown_as_text(tmp_path: Path) -> None:
    shown: list[tuple[object, str]] = [
        (Decimal("1600.50"), "1600.50"),
        (date(2022, 6, 1), "2022-06-01"),
        (datetime(2022, 6, 1, 10, 11, 12), "2022-06-01 10:11:12"),
        (True, "是"),
        (False, "否"),
        (None, ""),
        (101.0, "101"),
        (0.1, "0.1"),
        (float("nan"), ""),
        (9007199254740993, "9007199254740993"),
        (1.10101197001010016e17, "1.10101E+17"),
        ("990101197001010011", "990101197001010011"),
        ('say "it\'s",\n𠮷㐂', 'say "it\'s",\n𠮷㐂'),
    ]
    # the name is no pattern for other files
    path = tmp_path / "2022-06[1]*.parquet"
    pl.DataFrame({f"列{place}": [value] for place, (value, _) in enumerate(shown)}).write_parquet(
        path
    )
    reading, rows = read(tmp_path, path.read_bytes(), path.name)
    assert (reading.form, reading.header_row, reading.row_count) == ("parquet", 0, 1)
    assert rows == {1: tuple(text for _, text in shown)}


def test_rows_of_a_parquet_file_are_numbered_in_order_and_blank_ones_counted(
    tmp_path: Path,
) -> None:
    count = 300_000
    numbers = [None if place == 4 else str(place) for place in range(count)]
    pl.DataFrame({"户编号": numbers}).write_parquet(tmp_path / "a.parquet", row_group_size=1000)
    reading, rows = read(tmp_path, (tmp_path / "a.parquet").read_bytes(), "a.parquet")
    assert (reading.headers, reading.row_count, reading.blank_rows) == (("户编号",), count - 1, 1)
    assert list(rows)[:6] == [1, 2, 3, 4, 6, 7]
    assert all(texts == (str(number - 1),) for number, texts in rows.items())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["甲", "乙"], r"column 户编号 is of type VARCHAR\[\]"),
        ({"甲": 1}, r"column 户编号 is of type STRUCT"),
        (b"\xff", r"column 户编号 is of type BLOB"),
        (datetime(2022, 6, 1, tzinfo=UTC), r"TIMESTAMP WITH TIME ZONE.* a local time"),
    ],
)
def test_a_parquet_column_without_one_text_is_named(
    tmp_path: Path, value: object, told: str
) -> None:
    pl.DataFrame({"户编号": [value]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(UnreadableFile, match=told):
        read(tmp_path, (tmp_path / "a.parquet").read_bytes(), "a.parquet")


def test_a_parquet_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    pl.DataFrame({"户编号": ["1"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(UnreadableFile, match=r"the Parquet file cannot be read.*send it") as fault:
        read(tmp_path, (tmp_path / "a.parquet").read_bytes()[:-9], "a.parquet")
    assert str(tmp_path) not in str(fault.value)
    assert str(tmp_path) not in fault.value.advice
    assert "a.parquet" in fault.value.advice


def test_a_message_never_repeats_the_rows_of_a_file_without_header(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as fault:
        read(tmp_path, "990101197001010011,张三,户主\n".encode())
    assert "张三" not in str(fault.value)
    assert "990101" not in str(fault.value)


def test_utf8_with_a_broken_byte_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    # read as GB18030 these bytes are characters, and the headers are the same in both
    content = b"id,name,note\n1," + "张三丰".encode() + b",a\n2,\xc0\xc1,b\n"
    with pytest.raises(UnreadableFile, match=r"not UTF-8: byte 29, line 3"):
        read_rows_by_latin_header(tmp_path, content)


def read_rows_by_latin_header(folder: Path, content: bytes) -> Reading:
    (folder / "a.csv").write_bytes(content)
    return read_rows(
        database(),
        folder / "a.csv",
        lambda cells: len({*cells} & {"id", "name"}),
        folder / "rows.parquet",
    )
