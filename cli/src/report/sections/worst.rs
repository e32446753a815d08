//! The examples with the highest loss: as pictures, or as rows of the table.

use maud::{Markup, html};

use super::super::content::{RunReport, WorstErrors, WorstExample};
use super::super::number::{count, figure, percent};
use super::super::picture::data_address;

/// As many columns as a table of the page has room for.
const MOST_COLUMNS: usize = 7;

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let worst = report
        .worst
        .as_ref()
        .filter(|worst| !worst.examples.is_empty())?;
    let is_classification = report.task.is_classification();
    Some(html! {
        p {
            "The test examples with the highest loss, the worst first. "
            @if is_classification {
                "Confidence is the probability that the network gave its answer. "
            }
            "Look for labels that are wrong in the data, and for what these have in common."
        }
        @match worst.picture {
            Some(size) => (pictures(worst, size, is_classification)),
            None => (table(report, worst)),
        }
    })
}

fn pictures(worst: &WorstErrors, size: [usize; 2], is_classification: bool) -> Markup {
    html! {
        ul class="pictures" {
            @for example in &worst.examples {
                li { figure {
                    @if let Some(address) = data_address(size, &example.pixels) {
                        img src=(address) width="96" height="96" alt=(picture_text(example));
                    }
                    figcaption {
                        span class="pair" {
                            (example.actual) " → " strong { (example.predicted) }
                        }
                        @if is_right(example, is_classification) {
                            span class="hint" { "a right answer" }
                        }
                        @if let Some(confidence) = example.confidence {
                            span { (percent(confidence)) }
                        }
                        @if let Some(row) = example.row {
                            span class="hint" { "row " (count(row)) }
                        }
                    }
                } }
            }
        }
        p class="hint" { "The true class → " strong { "the answer" } ", and its confidence." }
    }
}

fn picture_text(example: &WorstExample) -> String {
    format!(
        "An example of {} taken for {}",
        example.actual, example.predicted
    )
}

fn is_right(example: &WorstExample, is_classification: bool) -> bool {
    is_classification && example.actual == example.predicted
}

fn table(report: &RunReport, worst: &WorstErrors) -> Markup {
    let columns = columns(report, worst);
    let has = |known: fn(&WorstExample) -> bool| worst.examples.iter().any(known);
    let (has_row, has_confidence) = (has(|e| e.row.is_some()), has(|e| e.confidence.is_some()));
    let is_classification = report.task.is_classification();
    html! {
        div class="scroll" role="region" aria-label="Worst errors" tabindex="0" {
            table class="numbers" {
                caption { span { "The worst errors, with their rows as they stand in the table" } }
                thead { tr {
                    @if has_row { th scope="col" class="number" { "Row" } }
                    th scope="col" { "True" }
                    th scope="col" { "Answer" }
                    @if has_confidence { th scope="col" class="number" { "Confidence" } }
                    th scope="col" class="number" { "Loss" }
                    @for column in &columns {
                        th scope="col" class="value" { (worst.columns[*column]) }
                    }
                } }
                tbody { @for example in &worst.examples { tr {
                    @if has_row {
                        th scope="row" class="number" {
                            (example.row.map_or_else(String::new, count))
                        }
                    }
                    td { (example.actual) }
                    td {
                        strong { (example.predicted) }
                        @if is_right(example, is_classification) {
                            span class="meaning" { "a right answer" }
                        }
                    }
                    @if has_confidence {
                        td class="number" { (example.confidence.map_or_else(String::new, percent)) }
                    }
                    td class="number" { (figure(example.loss)) }
                    @for column in &columns {
                        td class="value" {
                            (example.values.get(*column).map_or("", String::as_str))
                        }
                    }
                } } }
            }
        }
        @if columns.len() < worst.columns.len() {
            p class="hint" {
                "Of " (count(worst.columns.len() as u64)) " columns, "
                "" (count(columns.len() as u64)) " are shown"
                @if report.importance.is_some() { ": those that contribute most" }
                ". All are in report.json."
            }
        }
    }
}

/// Which columns are shown, in the order of the table: where there are too many, those that
/// contribute most.
fn columns(report: &RunReport, worst: &WorstErrors) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..worst.columns.len()).collect();
    if columns.len() <= MOST_COLUMNS {
        return columns;
    }
    let inputs = report
        .importance
        .iter()
        .flat_map(|importance| &importance.inputs);
    let inputs: Vec<_> = inputs.collect();
    let drop = |column: &usize| {
        let input = inputs
            .iter()
            .find(|input| input.name == worst.columns[*column]);
        input.map_or(f64::NEG_INFINITY, |input| input.drop)
    };
    columns.sort_by(|a, b| drop(b).total_cmp(&drop(a)));
    columns.truncate(MOST_COLUMNS);
    columns.sort_unstable();
    columns
}
