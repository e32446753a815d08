//! A page as a tree, and what makes it sound, for those who see it and those who hear it.

use std::collections::BTreeSet;

use roxmltree::{Document, Node, ParsingOptions};
use wgpu_linear_cli::report::RunReport;

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

pub(super) fn with_tree<T>(page: &str, look: impl FnOnce(&Document<'_>) -> T) -> T {
    let xml = as_xml(page);
    let options = ParsingOptions {
        allow_dtd: true,
        nodes_limit: 1_000_000,
        ..ParsingOptions::default()
    };
    look(&Document::parse_with_options(&xml, options).unwrap())
}

pub(super) fn elements<'a, 'x: 'a>(
    tree: &'a Document<'x>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'x>> {
    tree.descendants()
        .filter(move |node| node.has_tag_name(name))
}

pub(super) fn text(node: Node<'_, '_>) -> String {
    node.descendants()
        .filter(Node::is_text)
        .filter_map(|node| node.text())
        .collect()
}

/// Fails where the page of a report is not sound.
pub(super) fn check(report: &RunReport) {
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
