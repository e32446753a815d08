//! Names from files, made fit for a terminal.

/// `name` with whatever could move the cursor escaped; in quotes where its ends would not be seen.
pub(crate) fn printable(name: &str) -> String {
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
