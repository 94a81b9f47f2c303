"""Plots: well-formed, within their frame, the same for the same numbers."""

import xml.etree.ElementTree as ElementTree

import pytest
from tools.reference.plots import plot

TIMES = [0.0, 1.0, 2.0]


@pytest.mark.parametrize("most", [0.0, 0.4, 7.0, 100.0, 123_456.0])
def test_lines_stay_within_the_frame(most: float) -> None:
    text = plot("Memory <of> it", times=TIMES, lines={"a & b": [0.0, most, most / 2]}, unit="MiB")
    root = ElementTree.fromstring(text)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    (line,) = (each for each in root if each.tag.endswith("polyline"))
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert len(points) == len(TIMES)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_each_line_has_a_name_and_a_colour_of_its_own() -> None:
    text = plot("Open", times=TIMES, lines={"one": [1.0, 2.0, 3.0], "two": [3.0, 2.0, 1.0]}, unit="files")
    lines = [each for each in ElementTree.fromstring(text) if each.tag.endswith("polyline")]
    assert len({line.attrib["stroke"] for line in lines}) == 2
    assert ">one<" in text
    assert ">two<" in text
