//! What stands out: simple rules that say what an experienced eye would see at once.

use maud::{Markup, html};

use super::super::content::{RunReport, Score};
use super::super::curves::Curves;
use super::super::names::name;
use super::super::number::{count, short_percent};
use super::verdict::{judged, score, wilson};
use crate::explain::Importance;

/// A score that is so much higher in training was learned by heart, in part.
const LARGE_GAP: f64 = 0.08;
/// A range that is so wide says little of the true accuracy.
const WIDE: f64 = 0.1;
/// The share of one class that makes the accuracy misleading.
const DOMINANT: f64 = 0.8;
/// Classes that are named in a sentence.
const NAMED: usize = 5;

enum Finding {
    Good(String),
    Caution(String),
    Note(String),
}

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let rules: [fn(&RunReport) -> Option<Finding>; 8] = [
        baseline,
        gap,
        still_learning,
        unseen,
        never_found,
        dominant,
        single_input,
        constant,
    ];
    let ending = report.ending.iter().cloned().map(Finding::Note);
    let notes = report.notes.iter().cloned().map(Finding::Caution);
    let found = rules.into_iter().filter_map(|rule| rule(report));
    let findings: Vec<Finding> = found.chain(notes).chain(ending).collect();
    (!findings.is_empty()).then(|| {
        html! { ul class="findings" { @for finding in &findings { (item(finding)) } } }
    })
}

fn item(finding: &Finding) -> Markup {
    let (class, label, text) = match finding {
        Finding::Good(text) => ("good", "Good", text),
        Finding::Caution(text) => ("caution", "Caution", text),
        Finding::Note(text) => ("note", "Note", text),
    };
    html! { li class=(class) { strong class="label" { (label) } span { (text) } } }
}

/// The score that the network is judged by.
fn main_score(report: &RunReport) -> Option<&Score> {
    score(
        report,
        if report.task.is_classification() {
            "accuracy"
        } else {
            "r2"
        },
    )
}

fn baseline(report: &RunReport) -> Option<Finding> {
    let is_classification = report.task.is_classification();
    let score = score(
        report,
        if is_classification {
            "accuracy"
        } else {
            "mean_absolute_error"
        },
    )?;
    let ((value, _), baseline) = (judged(score)?, score.baseline?);
    let is_better = if is_classification {
        value > baseline
    } else {
        value < baseline
    };
    if !is_better {
        return Some(Finding::Caution(
            "It is no better than an answer that is always the same. The inputs may say nothing of \
             the target, the learning rate may be wrong, or the training was too short."
                .to_owned(),
        ));
    }
    let (wrong, without) = if is_classification {
        (1.0 - value, 1.0 - baseline)
    } else {
        (value, baseline)
    };
    let what = if is_classification {
        "fewer wrong answers"
    } else {
        "less error"
    };
    let less = 1.0 - wrong / without;
    Some(match less {
        less if less >= 0.3 => Finding::Good(format!(
            "Much better than an answer that is always the same: {} {what}.",
            short_percent(less)
        )),
        less => Finding::Caution(format!(
            "Only a little better than an answer that is always the same: {} {what}.",
            short_percent(less)
        )),
    })
}

fn gap(report: &RunReport) -> Option<Finding> {
    let score = main_score(report)?;
    let (value, set) = judged(score).filter(|(_, set)| *set != "training")?;
    let train = score.train?;
    let name = name(&score.name);
    let shown = |value: f64| name.shown(value);
    (train - value > LARGE_GAP).then(|| {
        Finding::Caution(format!(
            "{} is {} on the training rows, but {} on the {set} rows: part of it was learned by \
             heart. More data, dropout, weight decay or a smaller network may help.",
            name.title,
            shown(train),
            shown(value),
        ))
    })
}

fn still_learning(report: &RunReport) -> Option<Finding> {
    let validation = validation_loss(report.curves.as_ref()?)?;
    let last = validation.last()?;
    let earlier = &validation[..validation.len() - 1];
    let lowest = earlier
        .iter()
        .map(|[_, y]| *y)
        .fold(f64::INFINITY, f64::min);
    let before = validation[validation.len() * 4 / 5 - 1][1];
    (last[1] < lowest && last[1] < 0.98 * before).then(|| {
        Finding::Caution(
            "The validation loss was still falling when the training ended: more epochs may make it \
             better.".to_owned(),
        )
    })
}

fn validation_loss(curves: &Curves) -> Option<&[[f64; 2]]> {
    let chart = curves
        .charts
        .iter()
        .find(|chart| chart.quantity == "loss")?;
    let series = chart
        .series
        .iter()
        .find(|series| series.name == "validation")?;
    (series.points.len() >= 5).then_some(&series.points)
}

/// A test set that is too small to say much.
fn unseen(report: &RunReport) -> Option<Finding> {
    let confusion = report.confusion.as_ref()?;
    let [low, high] = wilson(confusion.hits(), confusion.total())?;
    (high - low > WIDE).then(|| {
        Finding::Caution(format!(
            "With {} test examples the accuracy is uncertain: on new data expect between {} and \
             {} (95 % confidence).",
            count(confusion.total()),
            short_percent(low),
            short_percent(high),
        ))
    })
}

fn never_found(report: &RunReport) -> Option<Finding> {
    let scores = report.confusion.as_ref()?.scores();
    let lost = scores
        .iter()
        .enumerate()
        .filter(|(_, scores)| scores.recall == Some(0.0));
    let names: Vec<String> = lost
        .map(|(class, _)| format!("“{}”", report.task.class(class)))
        .collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {} more", count(more as u64)),
    };
    let named = names
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    (!names.is_empty())
        .then(|| Finding::Caution(format!("Never recognised in the test set: {named}{more}.")))
}

fn dominant(report: &RunReport) -> Option<Finding> {
    let data = report.data.as_ref()?;
    let rows = data
        .classes
        .iter()
        .map(|class| (class.rows.iter().sum::<u64>(), &class.name));
    let total: u64 = rows.clone().map(|(rows, _)| rows).sum();
    let (most, name) = rows.max_by_key(|(rows, _)| *rows)?;
    let share = most as f64 / total.max(1) as f64;
    (data.classes.len() > 1 && share > DOMINANT).then(|| {
        Finding::Caution(format!(
            "{} of all rows are “{name}”, so the accuracy says little: look at recall and F1 of \
             the other classes.",
            short_percent(share),
        ))
    })
}

/// One input that decides nearly everything may be one that would not be known in time.
fn single_input(report: &RunReport) -> Option<Finding> {
    let importance: &Importance = report.importance.as_ref()?;
    let drops = importance.inputs.iter().map(|input| input.drop.max(0.0));
    let total: f64 = drops.sum();
    let most = importance
        .inputs
        .iter()
        .max_by(|a, b| a.drop.total_cmp(&b.drop))?;
    let is_single = importance.inputs.len() > 2 && most.drop > 0.9 * total && most.drop > 0.1;
    (is_single && most.block.is_none()).then(|| {
        Finding::Caution(format!(
            "Nearly everything comes from “{}”. If it follows from the answer, or is not known before it, \
             the network is worth little.",
            most.name,
        ))
    })
}

fn constant(report: &RunReport) -> Option<Finding> {
    let columns = &report.data.as_ref()?.columns;
    let names = columns
        .iter()
        .filter(|column| column.is_constant)
        .map(|column| format!("“{}”", column.name));
    let names: Vec<String> = names.collect();
    let named = names
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len() {
        0 => None,
        1 => Some(Finding::Note(format!(
            "The column {named} is always the same, and says nothing."
        ))),
        many if many > NAMED => Some(Finding::Note(format!(
            "{} columns are always the same, and say nothing: {named} and others.",
            count(many as u64),
        ))),
        _ => Some(Finding::Note(format!(
            "The columns {named} are always the same, and say nothing."
        ))),
    }
}
