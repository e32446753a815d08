//! Pages are sound whatever they show: nothing, what is no number, attacks, very much.

use std::collections::BTreeMap;

use wgpu_linear_cli::explain::{Confusion, Importance, InputImportance};
use wgpu_linear_cli::report::*;

use super::page::{check, text, with_tree};
use super::{samples, sections, trained};

#[test]
fn pages_of_trained_networks_are_sound() {
    for (_, report) in trained() {
        check(report);
        assert!(!report.html().contains("http:") && !report.html().contains("https:"));
    }
    for classes in [2, 30, 31, 1500] {
        check(&samples::many(classes));
    }
}

#[test]
fn an_empty_report_is_a_sound_page() {
    let report = RunReport::default();
    check(&report);
    assert_eq!(sections(&report), [""; 0]);
    let nothing = RunReport {
        task: Task::Classification {
            target: "kind".into(),
            classes: vec![],
        },
        scores: vec![Score::new("accuracy")],
        curves: Some(Curves {
            best_epoch: None,
            charts: vec![Chart::new("loss")],
        }),
        confusion: Some(Confusion::default()),
        predictions: vec![Predictions::of("y", [])],
        worst: Some(WorstErrors::default()),
        importance: Some(Importance::default()),
        data: Some(DataSummary::default()),
        ..RunReport::default()
    };
    check(&nothing);
    assert_eq!(sections(&nothing), ["data"]);
}

#[test]
fn numbers_that_are_none_do_not_spoil_a_page() {
    let broken = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let points = |from: f64| {
        (0..6).map(move |i| (f64::from(i), if i < 3 { broken[i as usize] } else { from }))
    };
    let input = |drop| InputImportance {
        name: "a".into(),
        drop,
        deviation: drop,
        block: None,
    };
    let report = RunReport {
        scores: vec![
            Score::new("r2").test(f64::NAN).baseline(f64::INFINITY),
            Score::new("mean_absolute_error")
                .test(f64::INFINITY)
                .baseline(f64::NAN),
        ],
        curves: Some(Curves {
            best_epoch: Some(2.0),
            charts: vec![
                Chart::new("loss")
                    .with("training", points(1e-30))
                    .with("validation", points(1e30)),
                Chart::new("r2").with("validation", points(-1e9)),
                Chart::new("flat").with("", [(1.0, 5.0)]),
                Chart::new("none").with("", broken.map(|y| (1.0, y))),
            ],
        }),
        predictions: vec![Predictions::of(
            "y",
            broken
                .map(|t| (1.0, t))
                .into_iter()
                .chain([(3.0, 3.0), (1e30, -1e30)]),
        )],
        importance: Some(Importance {
            inputs: broken.map(input).to_vec(),
            ..Importance::default()
        }),
        run: Run {
            examples_per_second: Some(f64::NAN),
            timings: vec![Timing {
                what: "training".into(),
                seconds: f64::NAN,
            }],
            ..Run::default()
        },
        ..RunReport::default()
    };
    check(&report);
    assert_eq!(report.predictions[0].not_finite, 3);
    assert!(report.html().contains("not a number"));
}

/// Each text that users give, as an attack.
pub(super) fn hostile() -> RunReport {
    let attack =
        |place: &str| format!("</style></title>\"'><script>alert('{place}')</script>&amp;");
    let inputs = |count: usize| {
        (0..count).map(|i| InputImportance {
            name: attack(&format!("input {i}")),
            drop: 0.1,
            ..InputImportance::default()
        })
    };
    let example = WorstExample {
        actual: attack("actual"),
        predicted: attack("predicted"),
        values: vec![attack("value")],
        ..WorstExample::default()
    };
    RunReport {
        name: attack("name"),
        task: Task::Classification {
            target: attack("target"),
            classes: vec![attack("class 0"), attack("class 1")],
        },
        ending: Some(attack("ending")),
        notes: vec![attack("note")],
        scores: vec![
            Score::new(attack("score")).test(0.5),
            Score::new("accuracy").test(0.5).baseline(0.6),
        ],
        curves: Some(Curves {
            best_epoch: None,
            charts: vec![
                Chart::new(attack("quantity"))
                    .with(attack("series"), [(1.0, 1.0), (2.0, 2.0)])
                    .with(attack("series 2"), [(1.0, 1.0)]),
            ],
        }),
        confusion: Some(Confusion::of_pairs(2, [(0, 1), (1, 1)])),
        predictions: vec![
            Predictions::of(attack("output"), [(1.0, 2.0)]),
            Predictions::of(attack("output 2"), [(1.0, 2.0)]),
        ],
        worst: Some(WorstErrors {
            picture: None,
            columns: vec![attack("column")],
            examples: vec![example],
        }),
        importance: Some(Importance {
            score: attack("metric"),
            inputs: inputs(22).collect(),
            ..Importance::default()
        }),
        data: Some(DataSummary {
            source: attack("source"),
            columns: vec![Column {
                name: attack("column"),
                kind: attack("kind"),
                role: attack("role"),
                imputed: Some(attack("imputed")),
                is_constant: true,
                ..Column::default()
            }],
            parts: vec![Part {
                name: attack("part"),
                chosen: attack("chosen"),
                rows: 1,
            }],
            classes: vec![ClassShare {
                name: attack("share"),
                rows: vec![1],
            }],
            ..DataSummary::default()
        }),
        configuration: vec![Setting::new(attack("setting"), attack("value"))],
        run: Run {
            command: Some(attack("command")),
            device: Some(attack("device")),
            timings: vec![Timing {
                what: attack("time"),
                seconds: 1.0,
            }],
            version: Some(attack("version")),
            date: Some(attack("date")),
            ..Run::default()
        },
        calibration: None,
    }
}

#[test]
fn whatever_users_give_is_escaped() {
    let mut report = hostile();
    let page = report.html();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    check(&report);
    // Every text is there, as it was given.
    let said = with_tree(&page, |tree| text(tree.root()));
    let given = serde_json::to_string(&report).unwrap();
    let places = given
        .split("alert('")
        .skip(1)
        .map(|rest| rest.split('\'').next().unwrap());
    for place in places {
        assert!(
            said.contains(&format!("<script>alert('{place}')</script>&amp;")),
            "{place}"
        );
    }
    let worst = report.worst.as_mut().unwrap();
    worst.picture = Some([1, 1]);
    worst.examples[0].pixels = vec![7];
    check(&report);
    assert!(!report.html().contains("<script"));
}

#[test]
fn sizes_stay_below_a_megabyte() {
    let size = |report: &RunReport| report.html().len();
    let sizes: Vec<_> = trained()
        .iter()
        .map(|(name, report)| (*name, size(report)))
        .collect();
    for (name, size) in &sizes {
        assert!((20_000..200_000).contains(size), "{name}: {size}");
    }
    for (classes, most) in [(30, 200_000), (1500, 500_000)] {
        let size = size(&samples::many(classes));
        assert!(size <= most, "{classes} classes: {size}");
    }
    let pairs = (0..200_000).map(|i| (f64::from(i), f64::from(i) + f64::from(i % 7)));
    let long = RunReport {
        predictions: vec![Predictions::of("y", pairs)],
        ..RunReport::default()
    };
    assert!(size(&long) <= 100_000, "{}", size(&long));
    assert!(serde_json::to_vec(&long).unwrap().len() <= 100_000);
}

/// The colours of the page: those by day, and those by night, which replace them.
fn colours() -> [BTreeMap<String, [f64; 3]>; 2] {
    let style = include_str!("../../../src/report/style.css");
    let (day, rest) = style
        .split_once("@media screen and (prefers-color-scheme: dark)")
        .unwrap();
    let night = rest.split_once("\n}\n").unwrap().0;
    let read = |text: &str| -> BTreeMap<String, [f64; 3]> {
        let pairs = text
            .split(';')
            .filter_map(|part| part.rsplit_once("--")?.1.split_once(": #"));
        let colour = |hex: &str| {
            let byte = |i| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
            [byte(0), byte(2), byte(4)]
        };
        pairs
            .map(|(name, hex)| (name.to_owned(), colour(hex)))
            .collect()
    };
    [read(day), read(night)]
}

/// The contrast of two colours, from 1 to 21 (Web Content Accessibility Guidelines 2.1).
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |c: f64| {
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    };
    let luminance =
        |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let [a, b] = [luminance(a), luminance(b)];
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_have_contrast_by_day_and_night() {
    for colours in colours() {
        for text in [
            "ink", "quiet", "accent", "good", "caution", "s1", "s2", "s3", "s4",
        ] {
            for ground in ["page", "sheet", "faint"] {
                let contrast = contrast(colours[text], colours[ground]);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.1}");
            }
        }
    }
}
