"""The text of a CSV: its encodings, header, rows and their numbers, and what is refused."""

from pathlib import Path

import pytest

from gemel.data.table import BadRows, read_table
from gemel.errors import DataError


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "some.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_rows_and_their_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, 'path,label\n a.png ,"Ada, the first"\n\n,\nb.png,"two\nlines"\nc,d\n')
    table = read_table(str(path))
    assert table.path == path
    assert table.header == ("path", "label")
    assert [(row.number, row.cells) for row in table.rows] == [
        (2, {"path": "a.png", "label": "Ada, the first"}),
        (5, {"path": "b.png", "label": "two\nlines"}),  # a blank row still has a number
        (6, {"path": "c", "label": "d"}),
    ]
    assert table.ragged == ()
    assert table.where(5) == f"{path} row 5"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_ends_of_lines(tmp_path: Path, mark: bytes, end: str) -> None:
    table = read_table(written(tmp_path, mark + f"path,label{end}ä.png,Zoë{end}".encode()))
    assert table.header == ("path", "label")
    assert table.rows[0].cells == {"path": "ä.png", "label": "Zoë"}


def test_header_in_capital_letters(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, " Path ,LABEL,Left_1,Width,width\n1,2,3,4,5\n"))
    assert table.header == ("path", "label", "left_1", "Width", "width")


def test_ragged_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n1\n1,2,3\n4,5\n")
    table = read_table(path)
    assert [row.number for row in table.rows] == [2, 5]
    assert [str(problem) for problem in table.ragged] == [
        f"{path} row {number}: {count} cells, where the header has 2 (a,b) "
        "(give each column one cell, and put cells with commas in double quotes)"
        for number, count in ((3, 1), (4, 3))
    ]


def test_files_that_are_no_csv(tmp_path: Path) -> None:
    assert "cannot be opened: [Errno 2]" in refusal(tmp_path / "gone.csv")
    assert "is a folder; expected a CSV file" in refusal(tmp_path)
    assert "the file is empty" in refusal(written(tmp_path, ""))
    assert "the file is empty" in refusal(written(tmp_path, "\n\n,,\n"))
    assert "no rows below the header 'a,b'" in refusal(written(tmp_path, "a,b\n\n"))


def test_columns_of_one_name(tmp_path: Path) -> None:
    assert "the header has 'b' twice, in 'b,a,b'" in refusal(written(tmp_path, "b,a,b\n1,2,3\n"))
    assert "the header has 'label' twice" in refusal(written(tmp_path, "label,Label\n1,2\n"))


def test_encodings_that_are_refused(tmp_path: Path) -> None:
    latin = "path,label\na,b\nc,Zoë\n".encode("latin-1")
    message = refusal(written(tmp_path, latin))
    assert "line 3: expected UTF-8 text, found the byte 0xeb; save it as UTF-8" in message
    for encoding in ("utf-16", "utf-16-be"):
        raw = "\ufeffpath,label\n".encode(encoding)
        assert "found UTF-16; save it as UTF-8" in refusal(written(tmp_path, raw))


def test_open_quotes(tmp_path: Path) -> None:
    assert "line 3: not a row of a CSV" in refusal(written(tmp_path, 'a,b\n1,2\n1,"2" 3\n'))
    assert "check the double quotes" in refusal(written(tmp_path, 'a,b\n1,"2\n'))


def test_wrong_header_says_what_was_expected_and_found(tmp_path: Path) -> None:
    def message(text: str) -> str:
        return str(read_table(written(tmp_path, text)).wrong_header("x,y"))

    assert "expected the header x,y, found 'a,b'. The first row must name" in message("a,b\n1,2\n")
    assert "must be separated by commas" in message("a;b\n1;2\n")
    assert "must be separated by commas" in message("a\tb\n1\t2\n")
    assert "pandas needs to_csv(index=False)" in message(",b\n1,2\n")


def test_bad_rows_come_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n1\n3,4\n")
    bad = BadRows(read_table(path))
    bad.add(4, "late", "mend it")
    bad.add(2, "early", "mend it")
    bad.add(4, "later still", "mend it")
    assert bad.numbers == {2, 4}
    assert [problem.what for problem in bad.problems][1:] == ["early", "late", "later still"]
    assert bad.problems[0].where == f"{path} row 3"  # the ragged one
