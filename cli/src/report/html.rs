//! The page: its head, and the parts in their order.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::content::RunReport;
use super::sections::{
    confusion, curves, data, findings, importance, regression, reliability, run, scores, verdict,
    worst,
};

const STYLE: &str = include_str!("style.css");
/// Even what an attack had got into the page could neither run nor ask the network.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A part of the page: its anchor, its heading, what it holds.
type Section = (&'static str, &'static str, Markup);

pub(super) fn page(report: &RunReport) -> String {
    let title = verdict::title(report);
    let sections = sections(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content="wgpu-linear";
                title { (title) " – " (report.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { "To the report" }
                header {
                    p class="origin" {
                        "Training report"
                        @if !report.name.is_empty() { " · " (report.name) }
                    }
                    h1 { (title) }
                    (verdict::verdict(report))
                    (verdict::cards(report))
                    @if sections.len() > 2 { (contents(&sections)) }
                }
                main id="main" {
                    @for (id, heading, content) in &sections {
                        section id=(id) aria-labelledby=(format!("{id}-heading")) {
                            h2 id=(format!("{id}-heading")) { (heading) }
                            (content)
                        }
                    }
                }
                (run::footer(report))
            }
        }
    };
    page.into_string()
}

fn sections(report: &RunReport) -> Vec<Section> {
    let all = [
        ("findings", "What stands out", findings::section(report)),
        ("scores", "Scores", scores::section(report)),
        ("curves", "How it learned", curves::section(report)),
        ("confusion", "What it confuses", confusion::section(report)),
        ("classes", "Class by class", confusion::classes(report)),
        (
            "predictions",
            "Predicted and true",
            regression::section(report),
        ),
        ("worst", "Worst errors", worst::section(report)),
        (
            "importance",
            "What each input contributes",
            importance::section(report),
        ),
        (
            "confidence",
            "Whether it is rightly sure",
            reliability::section(report),
        ),
        ("data", "Data", data::section(report)),
        ("configuration", "Configuration", run::configuration(report)),
        ("run", "The run", run::section(report)),
    ];
    let known = |(id, heading, content): (_, _, Option<Markup>)| Some((id, heading, content?));
    all.into_iter().filter_map(known).collect()
}

fn contents(sections: &[Section]) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul {
                @for (id, heading, _) in sections {
                    li { a href=(format!("#{id}")) { (heading) } }
                }
            }
        }
    }
}
