//! The top of the page: what was learned and how well, in a sentence, and the key figures.

use maud::{Markup, html};

use super::super::content::{RunReport, Score, Task};
use super::super::names::name;
use super::super::number::{about, count, duration, figure, percent, short_percent};

/// The heading of the page.
pub(in super::super) fn title(report: &RunReport) -> String {
    match report.task.target().as_str() {
        "" => "A trained network".to_owned(),
        target => format!("Predicting {target}"),
    }
}

/// What was learned and how well, for who knows nothing of networks.
pub(in super::super) fn verdict(report: &RunReport) -> Markup {
    let sentence = match report.task {
        Task::Classification { .. } => of_classes(report),
        Task::Regression { .. } => of_values(report),
    };
    html! { p class="verdict" { (sentence) } }
}

fn of_classes(report: &RunReport) -> Markup {
    let Some((accuracy, set)) = score(report, "accuracy").and_then(judged) else {
        return html! { "A network was trained; it has not been tested." };
    };
    let baseline = score(report, "accuracy").and_then(|score| score.baseline);
    html! {
        @match &report.confusion {
            Some(confusion) if set == "test" && confusion.total() > 0 => {
                "The network is right in " strong { (percent(accuracy)) } " of the examples that "
                "it had never "
                "seen: " (count(confusion.hits())) " of " (count(confusion.total())) "."
            }
            _ => {
                "The network is right in " strong { (percent(accuracy)) } " of the " (set) " examples."
            }
        }
        @if let Some(baseline) = baseline {
            " Always answering " (most_frequent(report)) " would be right in "
            "" (percent(baseline)) "."
        }
    }
}

fn most_frequent(report: &RunReport) -> Markup {
    let classes = report.data.iter().flat_map(|data| &data.classes);
    let training = |rows: &[u64]| rows.first().copied().unwrap_or(0);
    let mut most: Option<(&str, u64)> = None;
    for class in classes {
        let rows = training(&class.rows);
        if most.is_none_or(|(_, largest)| rows > largest) {
            most = Some((&class.name, rows));
        }
    }
    html! {
        "the most frequent class"
        @if let Some((name, _)) = most { ", “" (name) "”," }
    }
}

fn of_values(report: &RunReport) -> Markup {
    let error =
        score(report, "mean_absolute_error").and_then(|score| Some((judged(score)?, score)));
    let explained = score(report, "r2").and_then(judged);
    html! {
        @if let Some(((error, set), score)) = error {
            "On the " (set) " examples, the network’s answers are off by "
            strong { (figure(error)) } " on average."
            @if let Some(baseline) = score.baseline {
                " Always answering the mean would be off by " (figure(baseline)) "."
            }
        }
        @if let Some((r2, _)) = explained {
            @if r2 > 0.0 {
                " It explains " strong { (short_percent(r2)) }
                " of the differences between examples (R²)."
            } @else {
                " It explains none of the differences between examples (R² is " (figure(r2)) ")."
            }
        }
        @if error.is_none() && explained.is_none() {
            "A network was trained; it has not been tested."
        }
    }
}

/// The metric of this name.
pub(super) fn score<'a>(report: &'a RunReport, name: &str) -> Option<&'a Score> {
    report.scores.iter().find(|score| score.name == name)
}

/// The value that counts, and the part of the data that it is of.
pub(super) fn judged(score: &Score) -> Option<(f64, &'static str)> {
    let values = [
        (score.test, "test"),
        (score.validation, "validation"),
        (score.train, "training"),
    ];
    values
        .into_iter()
        .find_map(|(value, set)| Some((value?, set)))
}

/// The range that the true accuracy is in with 95 % confidence (Wilson, *Probable inference, the
/// law of succession, and statistical inference*, 1927): ±1.96 standard deviations.
pub(super) fn wilson(hits: u64, total: u64) -> Option<[f64; 2]> {
    const Z: f64 = 1.96;
    if total == 0 {
        return None;
    }
    let n = total as f64;
    let share = hits as f64 / n;
    let scale = 1.0 / (1.0 + Z * Z / n);
    let centre = scale * (share + Z * Z / (2.0 * n));
    let half = scale * Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some([(centre - half).max(0.0), (centre + half).min(1.0)])
}

type Card = (String, String, String);

/// The key figures.
pub(in super::super) fn cards(report: &RunReport) -> Markup {
    let mut cards: Vec<Card> = Vec::new();
    for metric in ["accuracy", "r2", "mean_absolute_error"] {
        if let Some(score) = score(report, metric) {
            cards.extend(cards_of(report, score));
        }
    }
    if let Some(confusion) = &report.confusion {
        let wrong = confusion.total() - confusion.hits();
        let of = format!("of {} test examples", count(confusion.total()));
        cards.push(("Wrong answers".to_owned(), count(wrong), of));
    }
    let training = report
        .run
        .timings
        .iter()
        .find(|timing| timing.what == "training");
    if let Some(timing) = training {
        let speed = report
            .run
            .examples_per_second
            .map_or_else(String::new, |speed| {
                format!("{} examples a second", about(speed))
            });
        cards.push(("Training time".to_owned(), duration(timing.seconds), speed));
    }
    html! {
        @if !cards.is_empty() {
            dl class="cards" {
                @for (title, value, note) in cards {
                    div {
                        dt { (title) }
                        dd {
                            span class="value" { (value) }
                            @if !note.is_empty() { span class="note" { (note) } }
                        }
                    }
                }
            }
        }
    }
}

fn cards_of(report: &RunReport, score: &Score) -> Vec<Card> {
    let name = name(&score.name);
    let shown = |value: f64| name.shown(value);
    let mut cards = Vec::new();
    if let Some((value, set)) = judged(score) {
        let mut note = String::new();
        let confusion = report
            .confusion
            .as_ref()
            .filter(|_| score.name == "accuracy" && set == "test");
        if let Some([low, high]) = confusion.and_then(|c| wilson(c.hits(), c.total())) {
            note = format!(
                "between {} and {} with 95\u{a0}% confidence",
                short_percent(low),
                short_percent(high)
            );
        } else if let Some(baseline) = score.baseline {
            note = format!("without a network {}", shown(baseline));
        }
        cards.push((format!("{}, {set}", name.title), shown(value), note));
    }
    if let (true, Some(baseline)) = (score.name == "accuracy", score.baseline) {
        let note = "always the most frequent class".to_owned();
        cards.push(("Without a network".to_owned(), shown(baseline), note));
    }
    cards
}
