//! Names from files, made fit for a terminal.

/// `name` with whatever could move the cursor of a terminal escaped; in quotes where its ends would
/// not be seen.
///
/// ```
/// use tfevents::reader::printable;
/// assert_eq!(printable("loss"), "loss");
/// assert_eq!(printable("a\u{1b}[2J"), r"a\u{1b}[2J");
/// assert_eq!(printable("loss "), "\"loss \"");
/// ```
#[must_use]
pub fn printable(name: &str) -> String {
    let escaped: String = name
        .chars()
        .map(|c| {
            if c.is_control() {
                c.escape_debug().to_string()
            } else {
                c.to_string()
            }
        })
        .collect();
    if escaped.is_empty() || escaped.trim() != escaped {
        format!("\"{escaped}\"")
    } else {
        escaped
    }
}
