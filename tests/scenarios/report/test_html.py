"""Escaping, in one place for all pages."""

from __future__ import annotations

import json

from ethospike.scenarios.report.page.html import Markup, element, embedded_json, facts, number, table, text

EVIL = """</script><img src=x onerror="alert('1')"> & <!--"""


def test_text_and_attributes_are_escaped_and_markup_is_not_escaped_twice() -> None:
    assert (
        text(EVIL)
        == "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#x27;1&#x27;)&quot;&gt; &amp; &lt;!--"
    )
    assert element("p", EVIL, title=EVIL).count("<") == 2
    assert element("p", Markup("<b>x</b>")) == "<p><b>x</b></p>"


def test_control_characters_do_not_reach_a_page() -> None:
    assert text("a\x00b\x1bc\u202ed\ne") == "a\ufffdb\ufffdc\ufffdd\ne"


def test_embedded_json_cannot_end_its_element_and_stays_the_same_data() -> None:
    data = {EVIL: [EVIL, 1.5, None, "\u2028"]}
    plain = embedded_json(data)
    assert not set("<>&\u2028") & set(plain)
    assert json.loads(plain) == data


def test_empty_entries_and_columns_are_left_out() -> None:
    assert "gone" not in facts({"kept": 0, "gone": "", "gone too": None})
    assert facts({}) == ""
    columns = table(("a", "empty", "b"), [(1, "", "x"), (2, None, "")])
    assert "empty" not in columns
    assert columns.count("<td") == 4


def test_numbers_have_four_digits_and_a_value_to_sort_by() -> None:
    assert (number(2 / 3), number(1234567), number(float("inf"))) == ("0.6667", "1,234,567", "–")
    assert 'data-value="0.6666666666666666"' in table(("x",), [(2 / 3,)])
    assert "data-value" not in table(("x",), [(float("nan"),)])
