"""A page is a function of its report: whole, escaped, and honest about what is missing."""

from pathlib import Path

import pytest

from mev_dagster.errors import InputError
from mev_dagster.reports.figures import Report, ReportedAlert, ReportedBlock
from mev_dagster.reports.links import block_url
from mev_dagster.reports.page import render, write_page
from mev_dagster.reports.plots import COLOURS, svg_bars
from mev_dagster.reports.spans import spans_of
from mev_dagster.reports.window import ReportWindow
from mev_dagster.settings import Settings

HOUR = ReportWindow.parse("2026-11-22T14")
TRACE = "ab" * 16
SPAN = (
    f'{{"service":"builder","name":"block.seal","trace_id":"{TRACE}","span_id":"1","parent_span_id":"",'
    '"start_ns":5,"end_ns":9,"status":"UNSET","attributes":{"note":"<b>"}}\n'
)


def block(number: int, **changed: object) -> ReportedBlock:
    values: dict[str, object] = {
        "number": number, "time_ns": HOUR.start_ns, "block_hash": bytes(32), "run_id": "0123456789",
        "live": True, "lag_ns": number * 1_000_000, "pending_txs": 3, "candidates": 2, "verified": 1,
        "best_wei": 10**18, "trace_id": TRACE, "bid_wei": 10**17, "sealed": True, "accepted": True,
        "landed": 1, "hits": 1, "misses": 0,
    }  # fmt: skip
    return ReportedBlock(**{**values, **changed})


def test_hours_and_days_are_windows_of_that_length():
    assert HOUR.end_ns - HOUR.start_ns == 3_600 * 10**9
    day = ReportWindow.day_of(HOUR.start_ns)
    assert (day.name, day.end_ns - day.start_ns) == ("2026-11-22", 86_400 * 10**9)
    assert ReportWindow.hour_of(HOUR.end_ns - 1) == HOUR


@pytest.mark.parametrize("text", ["", "2026-11-22T", "2026-11-22T24", "22.11.2026", "2026-13-01", "../x"])
def test_a_window_that_is_none_is_refused_by_name(text: str):
    with pytest.raises(InputError, match="expected an hour such as"):
        ReportWindow.parse(text)


def test_figures_add_up_and_missing_blocks_are_counted_once_a_number():
    report = Report(HOUR, (block(1), block(1), block(2, accepted=False)), 5, ())
    figures = report.figures()
    assert (figures["blocks"], figures["missing_blocks"]) == (3, 3)
    assert (figures["bids"], figures["bids_accepted"]) == (3, 2)
    assert figures["bid_wei"] == 3 * 10**17
    assert (figures["lag_p50_ms"], figures["lag_p95_ms"]) == (1, 2)


def test_a_block_leads_to_its_run_and_its_trace_and_both_lead_back(tmp_path: Path):
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "builder.jsonl").write_text(SPAN + "torn line\n")
    config = Settings(home=tmp_path)
    page = render(config, Report(HOUR, (block(7),), 1, ()))
    assert block_url(config, HOUR.start_ns, 7).endswith("/reports/2026-11-22T14.html#block-7")
    assert 'id="block-7"' in page
    assert f'href="#trace-{TRACE}"' in page
    assert 'href="#block-7"' in page
    assert page.count("/runs/0123456789") == 2
    assert "block.seal" in page


def test_words_from_outside_are_escaped(tmp_path: Path):
    alert = ReportedAlert("<script>", "webhook", "<img src=x>", "none", HOUR.start_ns)
    page = render(Settings(home=tmp_path), Report(HOUR, (), 2, (alert,)))
    assert "<script>" not in page
    assert "<img" not in page
    assert "2 blocks were seen and not searched" in page


def test_a_page_fetches_nothing(tmp_path: Path):
    page = render(Settings(home=tmp_path), Report(HOUR, (block(7),), 1, ()))
    assert "src=" not in page
    assert "<link" not in page
    assert "@import" not in page


def test_writing_a_page_again_replaces_it_whole(tmp_path: Path):
    config = Settings(home=tmp_path)
    first = write_page(config, Report(HOUR, (block(7),), 1, ())).read_text()
    path = write_page(config, Report(HOUR, (block(7),), 1, ()))
    assert path.read_text() == first
    assert [one.name for one in path.parent.iterdir()] == ["2026-11-22T14.html"]


def test_only_the_spans_asked_for_are_read(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text(SPAN)
    assert [span.name for span in spans_of(tmp_path, [TRACE])[TRACE]] == ["block.seal"]
    assert spans_of(tmp_path, ["00"]) == {"00": []}
    assert spans_of(tmp_path / "absent", [TRACE]) == {TRACE: []}


def test_every_block_of_a_long_hour_is_in_its_plots():
    values = [float(value) for value in range(300)]
    drawn = svg_bars("lag", values, marked=[value == 299 for value in range(300)])
    assert drawn.count("<rect") == 60  # five together
    assert "the highest of each 5" in drawn
    assert "highest 299" in drawn
    assert drawn.count(COLOURS[1]) == 1
    assert svg_bars("few", values[:64]).count("<rect") == 64
    assert "of each" not in svg_bars("few", values[:64])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1"])
def test_a_page_links_to_an_address_that_can_be_reached(tmp_path: Path, host: str):
    config = Settings(home=tmp_path, host=host)
    page = render(config, Report(HOUR, (block(7),), 1, ()))
    assert "0.0.0.0" not in page
    assert "//:::" not in page
    assert block_url(config, HOUR.start_ns, 7).startswith(("http://127.0.0.1:", "http://[::1]:"))
