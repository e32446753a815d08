//! The report: what it says.

mod page;
mod samples;
mod sound;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use page::{elements, text, with_tree};
use roxmltree::Node;
use wgpu_linear_cli::explain::{Confusion, Importance, InputImportance};
use wgpu_linear_cli::report::*;

/// Those whose networks are trained, once for all tests.
fn trained() -> &'static [(&'static str, RunReport)] {
    static REPORTS: OnceLock<Vec<(&str, RunReport)>> = OnceLock::new();
    REPORTS.get_or_init(|| {
        vec![
            ("digits", samples::digits()),
            ("iris", samples::flowers()),
            ("prices", samples::prices()),
        ]
    })
}

fn sample(name: &str) -> &'static RunReport {
    &trained()
        .iter()
        .find(|(sample, _)| *sample == name)
        .unwrap()
        .1
}

fn sections(report: &RunReport) -> Vec<String> {
    with_tree(&report.html(), |tree| {
        elements(tree, "section")
            .map(|node| node.attribute("id").unwrap().to_owned())
            .collect()
    })
}

#[test]
fn pages_have_every_part_that_is_known() {
    let common = ["findings", "scores", "curves"];
    let end = [
        "worst",
        "importance",
        "confidence",
        "data",
        "configuration",
        "run",
    ];
    let classes = ["confusion", "classes"];
    let of_classes: Vec<_> = [&common[..], &classes, &end].concat();
    assert_eq!(sections(sample("digits")), of_classes);
    assert_eq!(sections(sample("iris")), of_classes);
    let mut of_values = [&common[..], &["predictions"], &end].concat();
    of_values.retain(|part| *part != "confidence");
    assert_eq!(sections(sample("prices")), of_values);
}

#[test]
fn curves_are_thinned_without_losing_a_spike() {
    let mut points: Vec<[f64; 2]> = (0..100_000)
        .map(|i| [f64::from(i), (f64::from(i) / 9e3).sin()])
        .collect();
    points[1][1] = 7.0;
    points[54_321][1] = -9.0;
    points[77_777][1] = f64::NAN;
    let kept = thinned(&points);
    assert!(kept.len() <= 1000);
    assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[99_999]));
    assert!(kept.contains(&points[1]) && kept.contains(&points[54_321]));
    assert!(kept.iter().any(|[x, y]| *x == 77_777.0 && y.is_nan()));
    assert!(kept.is_sorted_by(|a, b| a[0] < b[0]));
    assert_eq!(thinned(&points[..1000]), points[..1000]);
    // The series holds no more than that, so that the JSON stays small too.
    let chart =
        Chart::new("loss").with("training", (0..5000).map(|i| (f64::from(i), f64::from(i))));
    assert_eq!(chart.series[0].points.len(), 1000);
}

#[test]
fn the_sentence_at_the_top_has_the_figures() {
    let digits = sample("digits");
    let confusion = digits.confusion.as_ref().unwrap();
    let page = digits.html();
    let said = with_tree(&page, |tree| {
        let verdict = elements(tree, "p").find(|node| node.attribute("class") == Some("verdict"));
        text(verdict.unwrap())
    });
    let counts = format!("{} of {}", confusion.hits(), confusion.total());
    assert!(said.contains(&counts), "{said}");
    assert!(said.contains("the most frequent class, “"), "{said}");
    let prices = sample("prices").html();
    assert!(prices.contains("Always answering the mean would be off by"));
}

#[test]
fn confusion_matrix_has_counts_and_shares_of_the_class() {
    let report = RunReport {
        task: Task::Classification {
            target: "kind".into(),
            classes: vec!["cat".into()],
        },
        confusion: Some(Confusion::of_pairs(2, [(0, 0), (0, 0), (0, 1), (1, 1)])),
        ..RunReport::default()
    };
    with_tree(&report.html(), |tree| {
        let matrix = elements(tree, "table").next().unwrap();
        let rows = matrix
            .descendants()
            .filter(|node| node.has_tag_name("tr"))
            .skip(1);
        let cells: Vec<Vec<String>> = rows
            .map(|row| row.children().filter(Node::is_element).map(text).collect())
            .collect();
        assert_eq!(
            cells,
            [
                ["cat", "267\u{a0}%", "133\u{a0}%"],
                ["1", "0", "1100\u{a0}%"]
            ]
        );
    });
    let many = samples::many(31).html();
    assert!(!many.contains("class=\"matrix\"") && many.contains("a matrix could not be read"));
}

fn findings(report: &RunReport) -> Vec<String> {
    with_tree(&report.html(), |tree| {
        let list = elements(tree, "ul").find(|node| node.attribute("class") == Some("findings"));
        let items = list
            .iter()
            .flat_map(|list| list.children().filter(Node::is_element));
        items.map(text).collect()
    })
}

fn says(report: &RunReport, start: &str, part: &str) -> bool {
    findings(report)
        .iter()
        .any(|text| text.starts_with(start) && text.contains(part))
}

#[test]
fn findings_tell_what_is_wrong_with_a_run() {
    let task = Task::Classification {
        target: "kind".into(),
        classes: vec!["cat".into(), "dog".into()],
    };
    let of = |train: f64, test: f64, baseline: f64| RunReport {
        task: task.clone(),
        scores: vec![
            Score::new("accuracy")
                .train(train)
                .test(test)
                .baseline(baseline),
        ],
        ..RunReport::default()
    };
    assert!(says(&of(0.5, 0.5, 0.5), "Caution", "no better than"));
    assert!(says(&of(0.99, 0.8, 0.5), "Caution", "learned by heart"));
    assert!(says(
        &of(0.9, 0.88, 0.5),
        "Good",
        "76\u{a0}% fewer wrong answers"
    ));
    assert_eq!(findings(&of(0.9, 0.88, 0.5)).len(), 1);
    let mut report = of(0.9, 0.9, 0.5);
    report.confusion = Some(Confusion::of_pairs(
        2,
        [(0, 0); 12].into_iter().chain([(1, 0)]),
    ));
    assert!(says(
        &report,
        "Caution",
        "Never recognised in the test set: “dog”"
    ));
    assert!(says(&report, "Caution", "With 13 test examples"));
    let falling = (1..=10).map(|epoch| (f64::from(epoch), 1.0 / f64::from(epoch)));
    report.curves = Some(Curves {
        best_epoch: None,
        charts: vec![Chart::new("loss").with("validation", falling)],
    });
    assert!(says(&report, "Caution", "still falling"));
    let share = |name: &str, rows| ClassShare {
        name: name.into(),
        rows: vec![rows],
    };
    report.data = Some(DataSummary {
        classes: vec![share("cat", 90), share("dog", 10)],
        ..DataSummary::default()
    });
    assert!(says(&report, "Caution", "90\u{a0}% of all rows are “cat”"));
    let input = |name: &str, drop| InputImportance {
        name: name.into(),
        drop,
        ..InputImportance::default()
    };
    report.importance = Some(Importance {
        inputs: vec![input("a", 0.0), input("id", 0.4), input("b", 0.01)],
        ..Importance::default()
    });
    assert!(says(
        &report,
        "Caution",
        "Nearly everything comes from “id”"
    ));
}

/// Wilson's range for 9 of 10, as statsmodels' `proportion_confint` has it: 0.5958 to 0.9821.
#[test]
fn accuracy_of_few_examples_has_a_range() {
    let report = RunReport {
        task: Task::Classification {
            target: "kind".into(),
            classes: vec![],
        },
        scores: vec![Score::new("accuracy").test(0.9)],
        confusion: Some(Confusion::of_pairs(
            2,
            [(0, 0); 9].into_iter().chain([(1, 0)]),
        )),
        ..RunReport::default()
    };
    assert!(
        report
            .html()
            .contains("between 60\u{a0}% and 98\u{a0}% with 95\u{a0}% confidence")
    );
}

#[test]
fn predictions_are_summed_up() {
    let pairs = (0..10_000).map(|i| (f64::from(i), f64::from(i) + f64::from(i % 100) - 20.0));
    let summary = Predictions::of("y", pairs);
    assert_eq!(
        (summary.examples, summary.points.len(), summary.not_finite),
        (10_000, 2000, 0)
    );
    assert_eq!(summary.errors.counts.iter().sum::<u64>(), 10_000);
    assert_eq!((summary.errors.from, summary.errors.width), (-20.0, 5.0));
    assert_eq!(summary.errors.counts, [500; 20]);
    // 41 of 100 errors are at most 20, one more for each further step.
    assert_eq!(
        (summary.median_error, summary.ninetieth_error),
        (Some(29.0), Some(69.0))
    );
    let equal = Predictions::of("y", [(1.0, 1.0); 5]);
    assert_eq!(
        (equal.median_error, equal.errors.counts),
        (Some(0.0), vec![5])
    );
}

#[test]
fn files_are_written_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    for (name, report) in trained() {
        report.write(folder.path()).unwrap();
        let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert_eq!(html, report.html(), "{name}");
        let json = fs::read_to_string(folder.path().join("report.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["name"], report.name);
        assert_eq!(
            json["scores"].as_array().unwrap().len(),
            report.scores.len()
        );
    }
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2);
    let gone = folder.path().join("gone");
    assert!(sample("iris").write(&gone).is_err());
}

/// To be looked at: `target/tmp/report/NAME/report.html`.
#[test]
fn samples_are_left_to_be_looked_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    let others = [
        ("thirty", samples::many(30)),
        ("hundreds", samples::many(400)),
        ("hostile", sound::hostile()),
    ];
    for (name, report) in trained().iter().chain(&others) {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        report.write(&folder).unwrap();
        assert!(folder.join("report.html").metadata().unwrap().len() > 10_000);
    }
}
