//! The table of metrics.

use maud::{Markup, html};

use super::super::content::{RunReport, Score};
use super::super::names::name;

type Column = (&'static str, fn(&Score) -> Option<f64>);

const COLUMNS: [Column; 4] = [
    ("Training", |score| score.train),
    ("Validation", |score| score.validation),
    ("Test", |score| score.test),
    ("Without a network", |score| score.baseline),
];

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let scores = &report.scores;
    let is_filled = |column: &&Column| scores.iter().any(|score| column.1(score).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(is_filled).collect();
    if columns.is_empty() {
        return None;
    }
    let without = if report.task.is_classification() {
        "always the most frequent class of the training rows"
    } else {
        "always the mean of the training rows"
    };
    Some(html! {
        div class="scroll" role="region" aria-label="Scores" tabindex="0" {
            table class="numbers" {
                caption { span { "How well the network does on each part of the data" } }
                thead { tr {
                    th scope="col" { "Metric" }
                    @for (title, _) in &columns { th scope="col" class="number" { (title) } }
                } }
                tbody { @for score in scores { (row(score, &columns)) } }
            }
        }
        p class="hint" {
            "The test rows were kept aside: they took no part in the training nor in the choice "
            "of the best epoch. "
            @if scores.iter().any(|score| score.baseline.is_some()) {
                "“Without a network” is the answer that is always the same: " (without) "."
            }
        }
    })
}

fn row(score: &Score, columns: &[&Column]) -> Markup {
    let name = name(&score.name);
    let shown = |value: f64| name.shown(value);
    html! {
        tr {
            th scope="row" {
                (name.title)
                @if !name.meaning.is_empty() { span class="meaning" { (name.meaning) } }
            }
            @for (_, value) in columns {
                td class="number" { (value(score).map_or_else(|| "–".to_owned(), shown)) }
            }
        }
    }
}
