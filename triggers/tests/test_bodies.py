"""XML on its way to an event: elements as fields, and nothing that could hold a bomb."""

from __future__ import annotations

import pytest

from leadsend.lib.errors import UnreadableInput
from triggers import bodies

LEAD = b"""<?xml version="1.0" encoding="UTF-8"?>
<lead source="fair"><name>Ada &amp; Bob</name><tag>a</tag><tag>b</tag><note/></lead>"""


def read(body, content_type="application/xml"):
    return bodies.read(bodies.reader_for(content_type), body, content_type)


@pytest.mark.parametrize(
    "kind", ["application/xml", "text/xml; charset=utf-8", "application/soap+xml"]
)
def test_elements_become_fields(kind):
    assert read(LEAD, kind) == {
        "lead": {"@source": "fair", "name": "Ada & Bob", "tag": ["a", "b"], "note": None}
    }


def test_an_empty_body_has_no_fields():
    assert read(b" \n") == {}


def test_other_encodings_are_read_as_they_declare():
    assert read('<?xml version="1.0" encoding="iso-8859-1"?><a>ü</a>'.encode("latin-1")) == {
        "a": "ü"
    }


BOMB = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<a><b></a>", "not XML"),
        (b"{}", "not XML"),
        (b"<a>\x00</a>", "not XML"),
        (b"<a>\xff</a>", "not XML"),
        (BOMB, "DOCTYPE"),
        (OUTSIDE, "DOCTYPE"),
        (b"<a>" * 100_000, "64 levels"),
        (b"<a>" * 65 + b"</a>" * 65, "64 levels"),
    ],
)
def test_what_is_no_sound_xml_is_refused_with_a_sentence(body, said):
    with pytest.raises(UnreadableInput, match=said):
        read(body)


def test_as_deep_as_json_may_be_is_read():
    assert read(b"<a>" * 64 + b"</a>" * 64)
