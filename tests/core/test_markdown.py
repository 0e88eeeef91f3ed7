from osbench.core.markdown import markdown_table


def test_a_table_has_a_header_and_a_line_for_each_row() -> None:
    assert markdown_table(["a", "b"], [[1, "x|y"], ["two\nlines", 2.5]]) == (
        "| a | b |\n|---|---|\n| 1 | x\\|y |\n| two lines | 2.5 |"
    )
    assert markdown_table(["a"], []) == "| a |\n|---|"
