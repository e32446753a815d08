//! Which classes are taken for which, and how well each is recognised.

use maud::{Markup, html};

use super::super::content::RunReport;
use super::super::number::{coordinate, count, percent, short_percent};
use crate::explain::{ClassScores, Confusion, top_confusions};

/// With more classes the matrix can no longer be read, and the most confused pairs stand alone.
const MOST_CLASSES: usize = 30;
/// How many pairs then.
const PAIRS: usize = 20;
/// How many beside a matrix that is too large to be taken in at a glance.
const PAIRS_BESIDE: usize = 8;
/// A matrix of so few classes shows at a glance what is confused.
const SMALL: usize = 4;
/// Rows of the table of classes that are there at once.
const OPEN_ROWS: usize = 30;
/// The most rows at all: the page must stay one that opens.
const MOST_ROWS: usize = 1000;

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let confusion = report
        .confusion
        .as_ref()
        .filter(|confusion| confusion.total() > 0)?;
    let has_matrix = confusion.classes <= MOST_CLASSES;
    let pairs = match confusion.classes {
        _ if !has_matrix => PAIRS,
        few if few <= SMALL => 0,
        _ => PAIRS_BESIDE,
    };
    Some(html! {
        @if !has_matrix {
            p {
                "With " (count(confusion.classes as u64)) " classes a matrix could not be read. "
                "Here are the pairs that are confused most often."
            }
        }
        div class="beside" {
            @if has_matrix { (matrix(report, confusion)) }
            @if pairs > 0 { (most_confused(report, confusion, pairs)) }
        }
    })
}

fn matrix(report: &RunReport, confusion: &Confusion) -> Markup {
    let classes = 0..confusion.classes;
    let names: Vec<String> = classes
        .clone()
        .map(|class| report.task.class(class))
        .collect();
    let scores = confusion.scores();
    let is_wide = names.iter().map(|name| name.chars().count()).sum::<usize>() > 60;
    let style = format!("--classes:{}", confusion.classes);
    html! {
        div class="scroll" role="region" aria-label="Confusion matrix" tabindex="0" {
            table class="matrix" style=(style) {
                caption { span {
                    "Examples of the test set: their class downwards, the answer across; "
                    "percentages are of the class. Right answers lie on the diagonal."
                } }
                thead { tr {
                    th scope="col" class="corner" { "class ↓ answer →" }
                    @for name in &names {
                        th scope="col" class=(if is_wide { "turned" } else { "straight" }) {
                            span { (name) }
                        }
                    }
                } }
                tbody {
                    @for (actual, name) in classes.clone().zip(&names) {
                        tr {
                            th scope="row" { span { (name) } }
                            @for predicted in classes.clone() {
                                (cell(confusion.count(actual, predicted), scores[actual].support,
                                    actual == predicted))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(examples: u64, of: u64, is_hit: bool) -> Markup {
    let share = examples as f64 / of.max(1) as f64;
    let class = match (is_hit, examples) {
        (true, _) => "hit",
        (false, 0) => "none",
        (false, _) => "miss",
    };
    // Shades follow the root, so that rare mistakes show.
    let style = format!("--share:{:.2}", share.sqrt());
    html! {
        td class=(class) style=(style) {
            (count(examples))
            @if examples > 0 { small { (short_percent(share)) } }
        }
    }
}

fn most_confused(report: &RunReport, confusion: &Confusion, pairs: usize) -> Markup {
    let scores = confusion.scores();
    let worst = top_confusions(confusion, pairs);
    html! {
        @if worst.is_empty() { p { "Nothing: every test example was recognised." } }
        @else {
            div class="scroll" role="region" aria-label="Most confused" tabindex="0" {
                table class="numbers" {
                    caption { span { "The most frequent mistakes" } }
                    thead { tr {
                        th scope="col" { "Class" }
                        th scope="col" { "Answer" }
                        th scope="col" class="number" { "Examples" }
                        th scope="col" class="number" { "Of the class" }
                    } }
                    tbody { @for pair in &worst { tr {
                        th scope="row" { (report.task.class(pair.actual)) }
                        td { (report.task.class(pair.predicted)) }
                        td class="number" { (count(pair.count)) }
                        td class="number" {
                            (percent(pair.count as f64 / scores[pair.actual].support.max(1) as f64))
                        }
                    } } }
                }
            }
        }
    }
}

pub(in super::super) fn classes(report: &RunReport) -> Option<Markup> {
    let confusion = report
        .confusion
        .as_ref()
        .filter(|confusion| confusion.total() > 0)?;
    let mut rows: Vec<(usize, ClassScores)> = confusion.scores().into_iter().enumerate().collect();
    let is_long = rows.len() > OPEN_ROWS;
    if is_long {
        // The worst are what is looked for among many.
        let f1 = |(_, scores): &(usize, ClassScores)| scores.f1.unwrap_or(2.0);
        rows.sort_by(|a, b| f1(a).total_cmp(&f1(b)));
    }
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let (open, folded) = rows.split_at(rows.len().min(OPEN_ROWS));
    Some(html! {
        (class_table(report, open, if is_long { "The classes that are recognised worst" }
            else { "How well each class of the test set is recognised" }))
        @if !folded.is_empty() {
            details {
                summary { (count(folded.len() as u64)) " more classes" }
                (class_table(report, folded, "The other classes, those recognised worst first"))
            }
        }
        @if left_out > 0 { p class="hint" { (count(left_out as u64)) " more are in report.json." } }
        p class="hint" {
            "Precision: of the answers that name this class, the share that is right. Recall: of "
            "the examples of "
            "this class, the share that is found. F1: both in one number. “–”: there were none."
        }
    })
}

fn class_table(report: &RunReport, rows: &[(usize, ClassScores)], caption: &str) -> Markup {
    let shown = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
    html! {
        div class="scroll" role="region" aria-label=(caption) tabindex="0" {
            table class="bars" {
                caption { span { (caption) } }
                thead { tr {
                    th scope="col" { "Class" }
                    th scope="col" class="picture" { span class="unseen" { "Bar of F1" } }
                    @for title in ["F1", "Precision", "Recall", "Examples"] {
                        th scope="col" class="number" { (title) }
                    }
                } }
                tbody { @for (class, scores) in rows { tr {
                    th scope="row" { (report.task.class(*class)) }
                    td class="picture" { (bar(scores.f1.unwrap_or(0.0))) }
                    @for share in [scores.f1, scores.precision, scores.recall] {
                        td class="number" { (shown(share)) }
                    }
                    td class="number" { (count(scores.support)) }
                } } }
            }
        }
    }
}

/// The same as the number beside it.
fn bar(share: f64) -> Markup {
    let width = coordinate(share.clamp(0.0, 1.0) * 100.0);
    html! {
        svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect class="track" width="100" height="10" {}
            rect class="bar" width=(width) height="10" {}
        }
    }
}
