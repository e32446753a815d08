//! What the network was trained on.

use maud::{Markup, html};

use super::super::content::{Column, DataSummary, RunReport};
use super::super::number::{count, percent};

/// Columns and classes that are there at once.
const OPEN_ROWS: usize = 12;
/// The most rows of a table: the page must stay one that opens.
const MOST_ROWS: usize = 300;

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let data = report.data.as_ref()?;
    Some(html! {
        (facts(data))
        div class="beside" {
            @if !data.parts.is_empty() { (parts(data)) }
            @if !data.classes.is_empty() {
                div { (folded("classes", data.classes.len(), |rows| classes(data, rows))) }
            }
        }
        @if !data.columns.is_empty() {
            (folded("columns", data.columns.len(), |rows| columns(&data.columns, rows)))
        }
    })
}

fn facts(data: &DataSummary) -> Markup {
    let missing: u64 = data.columns.iter().map(|column| column.missing).sum();
    let constant = data
        .columns
        .iter()
        .filter(|column| column.is_constant)
        .count();
    html! {
        dl class="facts" {
            div { dt { "Source" } dd { code { (data.source) } } }
            div { dt { "Rows" } dd { (count(data.rows)) } }
            @if !data.columns.is_empty() {
                div { dt { "Columns" } dd { (count(data.columns.len() as u64)) } }
            }
            @if let Some(inputs) = data.inputs {
                div { dt { "Inputs of the network" } dd { (count(inputs)) } }
            }
            @if !data.columns.is_empty() {
                div {
                    dt { "Missing values" }
                    dd { @if missing == 0 { "none" } @else { (count(missing)) } }
                }
                div {
                    dt { "Constant columns" }
                    dd { @if constant == 0 { "none" } @else { (count(constant as u64)) } }
                }
            }
        }
    }
}

fn parts(data: &DataSummary) -> Markup {
    let total: u64 = data.parts.iter().map(|part| part.rows).sum();
    html! {
        div class="scroll" role="region" aria-label="Parts" tabindex="0" { table class="numbers" {
            caption { span { "How the rows were split" } }
            thead { tr {
                th scope="col" { "Part" }
                th scope="col" class="number" { "Rows" }
                th scope="col" class="number" { "Share" }
                th scope="col" { "Chosen" }
            } }
            tbody { @for part in &data.parts { tr {
                th scope="row" { (part.name) }
                td class="number" { (count(part.rows)) }
                td class="number" { (percent(part.rows as f64 / total.max(1) as f64)) }
                td { (part.chosen) }
            } } }
        } }
    }
}

/// A table of so many rows: the first of them, the rest folded away, those past the limit counted.
fn folded(what: &str, rows: usize, table: impl Fn(std::ops::Range<usize>) -> Markup) -> Markup {
    let (open, end) = (rows.min(OPEN_ROWS), rows.min(MOST_ROWS));
    html! {
        (table(0..open))
        @if end > open {
            details { summary { (count((end - open) as u64)) " more " (what) } (table(open..end)) }
        }
        @if rows > end {
            p class="hint" { (count((rows - end) as u64)) " more " (what) " are in report.json." }
        }
    }
}

fn classes(data: &DataSummary, rows: std::ops::Range<usize>) -> Markup {
    let of = |part: usize| {
        data.classes
            .iter()
            .filter_map(|class| class.rows.get(part))
            .sum::<u64>()
    };
    let totals: Vec<u64> = (0..data.parts.len()).map(of).collect();
    let share = |rows: u64, part: usize| rows as f64 / totals[part].max(1) as f64;
    html! {
        div class="scroll" role="region" aria-label="Classes" tabindex="0" { table class="numbers" {
            caption { span { "The classes and their shares" } }
            thead { tr {
                th scope="col" { "Class" }
                @for part in &data.parts { th scope="col" class="number" { (part.name) } }
            } }
            tbody { @for class in &data.classes[rows.clone()] { tr {
                th scope="row" { (class.name) }
                @for (part, rows) in class.rows.iter().take(totals.len()).enumerate() {
                    td class="number" {
                        (count(*rows)) span class="spread" { (percent(share(*rows, part))) }
                    }
                }
            } } }
        } }
    }
}

fn columns(all: &[Column], rows: std::ops::Range<usize>) -> Markup {
    let has_missing = all.iter().any(|column| column.missing > 0);
    let has_remarks = all.iter().any(|column| !remarks(column).is_empty());
    html! {
        div class="scroll" role="region" aria-label="Columns" tabindex="0" { table {
            caption { span { "The columns" } }
            thead { tr {
                th scope="col" { "Column" }
                th scope="col" { "Role" }
                th scope="col" { "Kind" }
                @if has_missing { th scope="col" class="number" { "Missing" } }
                @if has_remarks { th scope="col" { "Remarks" } }
            } }
            tbody { @for column in &all[rows] { tr {
                th scope="row" { (column.name) }
                td { (column.role) }
                td { (column.kind) }
                @if has_missing { td class="number" { (count(column.missing)) } }
                @if has_remarks { td { (remarks(column)) } }
            } } }
        } }
    }
}

fn remarks(column: &Column) -> String {
    let imputed = column
        .imputed
        .as_ref()
        .map(|value| format!("missing became {value}"));
    let constant = column
        .is_constant
        .then(|| "constant: says nothing".to_owned());
    let remarks: Vec<String> = imputed.into_iter().chain(constant).collect();
    remarks.join("; ")
}
