//! What a Markdown file consists of, as far as the checks need it: kinds of lines, links, code
//! spans and headings. It knows the Markdown of this repository, not all of Markdown.

/// One file of Markdown, line by line.
#[derive(Debug)]
pub(super) struct Document {
    /// Its path from the root of the repository, with `/`.
    pub(super) name: String,
    pub(super) lines: Vec<Line>,
}

#[derive(Debug)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Text,
    Heading,
    TableHeader,
    TableRow,
    /// A line of a fenced or an indented code block, Rust or not. Rust is compiled as a doctest.
    Code {
        rust: bool,
    },
    /// The first or the last line of a fenced code block.
    Fence,
    /// A line of a formula that stands by itself.
    Formula,
}

impl Document {
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let texts: Vec<&str> = text.lines().collect();
        let mut lines = Vec::new();
        let mut fence: Option<(&str, bool)> = None;
        let mut in_formula = false;
        // Whether a line that begins with four spaces may be code, and not go on with a list.
        let (mut blank, mut in_list) = (true, false);
        for (i, &text) in texts.iter().enumerate() {
            let trimmed = text.trim_start();
            let kind = if let Some((end, rust)) = fence {
                if trimmed.starts_with(end) {
                    fence = None;
                    Kind::Fence
                } else {
                    Kind::Code { rust }
                }
            } else if let Some(end) = ["```", "~~~"].into_iter().find(|f| trimmed.starts_with(f)) {
                let language = trimmed.trim_start_matches(['`', '~']);
                // Rustdoc takes a block without a language for Rust.
                let rust = language.is_empty() || language.starts_with("rust");
                fence = Some((end, rust));
                Kind::Fence
            } else if in_formula || text.starts_with("$$") {
                in_formula ^= text.matches("$$").count() == 1;
                Kind::Formula
            } else if text.starts_with("    ") && blank && !in_list {
                Kind::Code { rust: false }
            } else if text.starts_with('#') {
                Kind::Heading
            } else if text.starts_with('|') {
                match texts.get(i + 1) {
                    Some(next) if next.starts_with("|--") || next.starts_with("|:-") => {
                        Kind::TableHeader
                    }
                    _ => Kind::TableRow,
                }
            } else {
                Kind::Text
            };
            blank = text.is_empty() || kind == (Kind::Code { rust: false });
            if !text.is_empty() && !text.starts_with(' ') {
                let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
                in_list =
                    text.starts_with("- ") || number.len() < text.len() && number.starts_with(". ");
            }
            lines.push(Line {
                number: i + 1,
                text: text.to_owned(),
                kind,
            });
        }
        Self {
            name: name.to_owned(),
            lines,
        }
    }

    /// The folder it is in, `""` for the root.
    pub(super) fn folder(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The anchors that GitHub gives to its headings.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| line.kind == Kind::Heading) {
            let slug = slug(line.text.trim_start_matches('#'));
            let mut anchor = slug.clone();
            let mut repeated = 0;
            while anchors.contains(&anchor) {
                repeated += 1;
                anchor = format!("{slug}-{repeated}");
            }
            anchors.push(anchor);
        }
        anchors
    }
}

/// GitHub's rule: small letters, digits, `_` and `-` stay, spaces become `-`, all else goes. Of a
/// link only the text counts.
pub(super) fn slug(heading: &str) -> String {
    let mut text = heading.trim().to_owned();
    for target in links(heading) {
        text = text.replace(&format!("]({target})"), "");
    }
    text.to_lowercase()
        .chars()
        .filter(|&c| c.is_alphanumeric() || c == '_' || c == '-' || c == ' ')
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The code spans of a line, each with what is between it and the one before; `None` if one does
/// not end on this line.
pub(super) fn spans(line: &str) -> Option<Vec<(&str, &str)>> {
    let mut spans = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let inside = &rest[start + ticks..];
        // The next run of just as many.
        let mut from = 0;
        let end = loop {
            let begin = from + inside[from..].find('`')?;
            let run = inside[begin..].len() - inside[begin..].trim_start_matches('`').len();
            if run == ticks {
                break begin;
            }
            from = begin + run;
        };
        spans.push((&rest[..start], inside[..end].trim()));
        rest = &inside[end + ticks..];
    }
    Some(spans)
}

/// The line without the insides of its code spans.
pub(super) fn without_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Where the links and images of a line lead: `[text](target)`, `[name]: target`, and HTML's `src`
/// and `href`.
pub(super) fn links(line: &str) -> Vec<String> {
    let line = without_spans(line);
    let mut targets = Vec::new();
    for (before, after) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
        for part in line.split(before).skip(1) {
            let target = part.split(after).next().unwrap_or_default();
            targets.push(target.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    if let Some((name, target)) = line.split_once("]: ")
        && name.starts_with('[')
        && !name.contains(']')
    {
        targets.push(target.trim().to_owned());
    }
    targets
}

/// How wide a line is that can be wrapped: neither targets of links nor URLs count.
pub(super) fn width(line: &str) -> usize {
    let mut line = line.to_owned();
    for target in links(&line) {
        line = line.replace(&format!("({target})"), "()");
    }
    let width = |word: &str| {
        if word.contains("://") {
            0
        } else {
            word.chars().count()
        }
    };
    line.split(' ').map(|word| width(word) + 1).sum::<usize>() - 1
}
