//! Texts, such as the configuration of a run.

use super::Summary;
use super::tensor::{self, Elements};

impl Summary {
    /// Adds a text: TensorBoard renders it as Markdown, under *Text*.
    ///
    /// The tag is stored as `TAG/text_summary`, as `PyTorch` does.
    ///
    /// ```
    /// use tfevents::Summary;
    ///
    /// let summary = Summary::new().text("config", "| name | value |\n|---|---|\n| seed | 7 |");
    /// ```
    #[must_use]
    pub fn text(self, tag: &str, text: &str) -> Self {
        self.value(&format!("{tag}/text_summary"), |data| {
            tensor::put(data, &[1], &Elements::Bytes(text.as_bytes()));
            tensor::put_plugin(data, "text", &[]);
        })
    }
}
