//! What metrics are called by people, and what they mean.

use super::number::{figure, percent};

/// How a metric is shown.
pub(super) struct Name {
    /// Its name in a heading.
    pub(super) title: String,
    /// What it says, for who has never heard of it.
    pub(super) meaning: &'static str,
    /// Whether it is a share, shown in percent.
    pub(super) is_share: bool,
}

impl Name {
    /// A value of the metric: in percent where it is a share.
    pub(super) fn shown(&self, value: f64) -> String {
        if self.is_share {
            percent(value)
        } else {
            figure(value)
        }
    }
}

const KNOWN: [(&str, &str, &str, bool); 14] = [
    ("accuracy", "Accuracy", "the share of right answers", true),
    (
        "loss",
        "Loss",
        "what the training makes small; lower is better",
        false,
    ),
    (
        "mean_absolute_error",
        "Mean absolute error",
        "how far answers are off on average, in the unit of the target",
        false,
    ),
    (
        "root_mean_squared_error",
        "Root mean squared error",
        "about how far answers are off, large errors counting more",
        false,
    ),
    (
        "max_error",
        "Largest error",
        "how far the worst answer is off",
        false,
    ),
    (
        "r2",
        "R²",
        "the share of the variation that is explained: 1 is perfect, 0 is no better than the mean",
        false,
    ),
    (
        "mean_r2",
        "Mean R²",
        "R² of each output by itself, averaged",
        false,
    ),
    (
        "precision",
        "Precision",
        "the share of answers of a class that are right, averaged over the classes",
        true,
    ),
    (
        "recall",
        "Recall",
        "the share of a class that is found, averaged over the classes",
        true,
    ),
    (
        "f1",
        "F1",
        "precision and recall in one number, averaged over the classes",
        true,
    ),
    (
        "balanced_accuracy",
        "Balanced accuracy",
        "the share of right answers, each class counting the same",
        true,
    ),
    (
        "roc_auc",
        "ROC AUC",
        "how well the classes are told apart by the confidence: 1 is perfect, 0.5 is chance",
        false,
    ),
    (
        "log_loss",
        "Log loss",
        "how little probability the right answers were given; lower is better",
        false,
    ),
    (
        "learning_rate",
        "Learning rate",
        "the size of the steps",
        false,
    ),
];

/// The name of a metric; one that is not known is shown as it is.
pub(super) fn name(metric: &str) -> Name {
    let known = KNOWN.iter().find(|(name, ..)| *name == metric);
    match known {
        Some((_, title, meaning, is_share)) => Name {
            title: (*title).to_owned(),
            meaning,
            is_share: *is_share,
        },
        None => Name {
            title: metric.replace('_', " "),
            meaning: "",
            is_share: false,
        },
    }
}
