//! The report: what it says, that it is sound, that nothing gets into it unescaped.

mod samples;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use roxmltree::{Document, Node, ParsingOptions};
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

/// The page as XML: the elements that HTML never closes, closed. Between brackets there is no `>`,
/// since those of users are escaped.
fn as_xml(page: &str) -> String {
    let mut xml = String::with_capacity(page.len());
    for part in page.split_inclusive('>') {
        let is_open = ["<meta ", "<img "]
            .iter()
            .any(|tag| part.trim_start().starts_with(tag));
        match part.strip_suffix('>') {
            Some(part) if is_open => xml.extend([part, "/>"]),
            _ => xml.push_str(part),
        }
    }
    xml
}

fn with_tree<T>(page: &str, look: impl FnOnce(&Document<'_>) -> T) -> T {
    let xml = as_xml(page);
    let options = ParsingOptions {
        allow_dtd: true,
        nodes_limit: 1_000_000,
        ..ParsingOptions::default()
    };
    look(&Document::parse_with_options(&xml, options).unwrap())
}

fn elements<'a, 'x: 'a>(
    tree: &'a Document<'x>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'x>> {
    tree.descendants()
        .filter(move |node| node.has_tag_name(name))
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants()
        .filter(Node::is_text)
        .filter_map(|node| node.text())
        .collect()
}

fn sections(report: &RunReport) -> Vec<String> {
    with_tree(&report.html(), |tree| {
        elements(tree, "section")
            .map(|node| node.attribute("id").unwrap().to_owned())
            .collect()
    })
}

/// What makes a page sound, for those who see it and those who hear it.
fn check(report: &RunReport) {
    with_tree(&report.html(), |tree| {
        check_ids(tree);
        check_headings(tree);
        check_tables(tree);
        check_drawings(tree);
        check_reach(tree);
    });
}

fn check_ids(tree: &Document<'_>) {
    let ids: Vec<_> = tree
        .descendants()
        .filter_map(|node| node.attribute("id"))
        .collect();
    let known: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "an id twice");
    for node in tree.descendants() {
        let named = node
            .attribute("aria-labelledby")
            .into_iter()
            .flat_map(str::split_whitespace);
        let link = node
            .attribute("href")
            .map(|link| link.strip_prefix('#').unwrap());
        for id in named.chain(link) {
            assert!(known.contains(id), "no {id}");
        }
    }
}

fn check_headings(tree: &Document<'_>) {
    let level = |node: Node<'_, '_>| {
        ["h1", "h2", "h3"]
            .iter()
            .position(|h| node.has_tag_name(*h))
    };
    let levels: Vec<_> = tree.descendants().filter_map(level).collect();
    assert_eq!(levels.iter().filter(|level| **level == 0).count(), 1);
    assert_eq!(levels[0], 0);
    for pair in levels.windows(2) {
        assert!(pair[1] <= pair[0] + 1, "a level is left out");
    }
}

fn check_tables(tree: &Document<'_>) {
    for table in elements(tree, "table") {
        let caption = table.first_element_child().unwrap();
        assert!(caption.has_tag_name("caption") && !text(caption).is_empty());
        for heading in table.descendants().filter(|node| node.has_tag_name("th")) {
            assert!(matches!(heading.attribute("scope"), Some("col" | "row")));
        }
        let cells = |row: Node<'_, '_>| row.children().filter(Node::is_element).count();
        let rows = table
            .descendants()
            .filter(|node| node.has_tag_name("tr"))
            .map(cells);
        assert_eq!(rows.collect::<BTreeSet<_>>().len(), 1, "ragged");
    }
}

fn check_drawings(tree: &Document<'_>) {
    for drawing in elements(tree, "svg") {
        if drawing.attribute("aria-hidden") == Some("true") {
            continue;
        }
        assert_eq!(drawing.attribute("role"), Some("img"));
        for name in ["title", "desc"] {
            let said = drawing
                .children()
                .find(|node| node.has_tag_name(name))
                .unwrap();
            assert!(!text(said).is_empty());
        }
    }
    for picture in elements(tree, "img") {
        assert!(!picture.attribute("alt").unwrap().is_empty());
    }
    for node in tree.descendants() {
        for attribute in node.attributes() {
            let is_number = ["x", "y", "d", "cx", "cy", "width"].contains(&attribute.name());
            let value = attribute.value();
            assert!(
                !is_number || !(value.contains("NaN") || value.contains("inf")),
                "{value}"
            );
        }
    }
}

/// Nothing is fetched, and nothing runs.
fn check_reach(tree: &Document<'_>) {
    for tag in [
        "script", "link", "iframe", "object", "embed", "base", "form",
    ] {
        assert_eq!(elements(tree, tag).count(), 0, "{tag}");
    }
    for node in tree.descendants() {
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on"), "{}", attribute.name());
            let is_address = ["src", "href", "data", "action"].contains(&attribute.name());
            let is_inside = ["#", "data:image/png;base64,"]
                .iter()
                .any(|a| attribute.value().starts_with(a));
            assert!(!is_address || is_inside, "{}", attribute.value());
        }
    }
    for style in elements(tree, "style") {
        assert!(!text(style).contains("url(") && !text(style).contains("@import"));
    }
}

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
fn hostile() -> RunReport {
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
        ("hostile", hostile()),
    ];
    for (name, report) in trained().iter().chain(&others) {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        report.write(&folder).unwrap();
        assert!(folder.join("report.html").metadata().unwrap().len() > 10_000);
    }
}
